"""Tilings against counting by hand and against trying everything."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.golden.errors import ParameterError
from atalanta.sim.tiling import Step, Tiling, choose
from atalanta.sim.workload import ACTIVATION, WEIGHT, Layer, Operand, Workload


def work(weights=(1000, 10), inputs=(600, 6), output=500):
    layer = Layer(name="conv", macs=1, weight="w", inputs=("x",), output="y")
    operands = {
        "w": Operand(name="w", role=WEIGHT, nbytes=weights[0], parts=weights[1]),
        "x": Operand(name="x", role=ACTIVATION, nbytes=inputs[0], parts=inputs[1]),
        "y": Operand(name="y", role=ACTIVATION, nbytes=output, parts=6),
    }
    return layer, Workload("n", (layer,), operands)


def chosen(capacity, overlap=1, least=1, **sizes):
    return choose(*work(**sizes), capacity, overlap=overlap, least=least)


def fetched(tiling):
    """Tiles of each operand fetched over all steps."""
    steps = list(tiling.order())
    return sum(s.weight is not None for s in steps), sum(s.input is not None for s in steps)


def test_what_fits_is_fetched_once():
    assert chosen(2100) == Tiling(1, 1, weights_outer=True)
    assert list(chosen(2100).order()) == [Step(0, 0)]


def test_one_byte_less_makes_two_tiles():
    tiling = chosen(2099)
    assert tiling.steps == 2
    assert tiling.weight_fetches == tiling.input_fetches == 1


def test_when_both_must_be_cut_the_smaller_one_is_fetched_again():
    # 60 KB of weights and 100 KB of inputs on 16 KB: cutting both, weights go by for every tile of inputs.
    small_weights = chosen(16_000, weights=(60_000, 600), inputs=(100_000, 100), output=10_000)
    assert small_weights.weight_tiles > 1
    assert small_weights.input_tiles > 1
    moved = 60_000 * small_weights.weight_fetches + 100_000 * small_weights.input_fetches
    other = Tiling(small_weights.weight_tiles, small_weights.input_tiles, not small_weights.weights_outer)
    assert moved <= 60_000 * other.weight_fetches + 100_000 * other.input_fetches


@pytest.mark.parametrize("weights", [1, 3])
@pytest.mark.parametrize("inputs", [1, 4])
@pytest.mark.parametrize("outer", [True, False])
def test_the_order_fetches_what_the_tiling_says(weights, inputs, outer):
    tiling = Tiling(weights, inputs, outer)
    steps = list(tiling.order())
    assert len(steps) == tiling.steps
    assert fetched(tiling) == (weights * tiling.weight_fetches, inputs * tiling.input_fetches)
    held = [None, None]
    pairs = set()
    for step in steps:
        held = [
            new if new is not None else old for new, old in zip((step.weight, step.input), held, strict=True)
        ]
        pairs.add(tuple(held))
    assert pairs == set(product(range(weights), range(inputs)))


@pytest.mark.parametrize(
    ("tiling", "kept", "step"),
    [
        (Tiling(1, 1, weights_outer=True), 0, 1000 + 600 + 500),
        (Tiling(5, 1, weights_outer=True), 600, 200 + 100),  # all inputs stay
        (Tiling(1, 3, weights_outer=False), 1000, 200 + 167),  # all weights stay
        (Tiling(2, 3, weights_outer=True), 0, 500 + 200 + 84),
    ],
)
def test_room_is_what_stays_and_what_a_step_adds(tiling, kept, step):
    assert tiling.room(*work()) == (kept, step)


def test_a_layer_that_cannot_fit_is_refused_by_name():
    with pytest.raises(
        ParameterError, match=r"layer conv does not fit on the chip: .*100 of weights, 100 of inputs"
    ):
        chosen(150)


def test_a_layer_without_weights_is_cut_by_rows():
    layer = Layer(name="add", inputs=("x", "z"), output="y")
    operands = {n: Operand(name=n, role=ACTIVATION, nbytes=600, parts=6) for n in "xyz"}
    tiling = choose(layer, Workload("n", (layer,), operands), 700, overlap=1, least=1)
    assert (tiling.weight_tiles, tiling.input_tiles, tiling.input_fetches) == (1, 3, 1)


def test_overlap_cuts_the_larger_operand_and_fetches_nothing_again():
    tiling = chosen(10_000, overlap=8, least=100)
    assert tiling == Tiling(8, 1, weights_outer=True)
    tiling = chosen(10_000, overlap=8, least=100, inputs=(3000, 6))
    assert tiling == Tiling(1, 6, weights_outer=False)


def test_overlap_makes_no_tile_smaller_than_the_least():
    assert chosen(10_000, overlap=8, least=400).steps == 2
    assert chosen(10_000, overlap=8, least=1001).steps == 1


@settings(max_examples=300, deadline=None)
@given(
    weights=st.tuples(st.integers(0, 4000), st.integers(1, 12)),
    inputs=st.tuples(st.integers(0, 4000), st.integers(1, 12)),
    output=st.integers(0, 4000),
    capacity=st.integers(1, 6000),
)
def test_no_other_tiling_moves_less(weights, inputs, output, capacity):
    layer, workload = work(weights, inputs, output)
    w, x = workload.operands["w"], workload.operands["x"]

    def cost(tiling):
        return w.nbytes * tiling.weight_fetches + x.nbytes * tiling.input_fetches

    def fits(t):
        largest = -(-w.parts // t.weight_tiles) * -(-x.parts // t.input_tiles)
        made = -(-output * largest // (w.parts * x.parts))
        return w.tile_bytes(t.weight_tiles) + x.tile_bytes(t.input_tiles) + made <= capacity

    legal = [
        tiling
        for n, m, outer in product(range(1, w.parts + 1), range(1, x.parts + 1), (True, False))
        if fits(tiling := Tiling(n, m, outer))
    ]
    try:
        found = choose(layer, workload, capacity, overlap=1, least=1)
    except ParameterError:
        assert not legal
        return
    assert fits(found)
    assert cost(found) == min(cost(t) for t in legal)
