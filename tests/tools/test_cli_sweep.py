"""`atalanta sweep`: every point once and in order, whatever runs them and however often it is stopped."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from pyarrow import parquet

from atalanta.golden.errors import ParameterError
from atalanta.tools import network
from atalanta.tools.cli import main
from atalanta.tools.network.charts import front
from atalanta.tools.network.config import ConfigError
from atalanta.tools.sweep.points import read_sweep
from atalanta.tools.sweep.run import Store, run_sweep, table

NETWORK = """
    tensors:
      w: {shape: [64, 64], values: {scale: 8.0}}
      x: {shape: [1, 64]}
      y: {shape: [1, 64]}
    layers: [{name: fc, macs: 4096, weight: w, inputs: [x], output: y}]
"""
SWEEP = f"""
base:
  preset: edge
  network:
    name: toy{NETWORK}
grid:
  memory.preset: [ideal, ddr4-2400]
  accelerator.macs_per_cycle: [16, 64]
"""


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    return path


def invoke(config, output, *arguments):
    return CliRunner().invoke(main, ["sweep", str(config), "-o", str(output), *arguments])


def nothing_to_do():
    raise AssertionError("a client was opened")


def test_points_come_in_the_order_of_the_grid(config):
    sweep = read_sweep(config)
    assert [p.settings for p in sweep.points] == [
        {"memory.preset": memory, "accelerator.macs_per_cycle": macs}
        for memory in ("ideal", "ddr4-2400")
        for macs in (16, 64)
    ]
    assert [p.config.accelerator.macs_per_cycle for p in sweep.points] == [16, 64, 16, 64]
    assert len({p.key for p in sweep.points}) == 4


def test_a_point_is_known_by_everything_that_decides_about_it(config):
    one = read_sweep(config)
    assert [p.key for p in read_sweep(config).points] == [p.key for p in one.points]
    config.write_text(SWEEP + "  seed: [0, 1]\n")
    seeds = read_sweep(config)
    assert [p.key for p in seeds.points[::2]] == [p.key for p in one.points]
    assert not {p.key for p in seeds.points[1::2]} & {p.key for p in one.points}


def test_a_file_that_changes_makes_a_new_point(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("base: {network: {tensors: {w: {file: w.npy}}, layers: [{name: a, weight: w}]}}\n")
    keys = []
    for fill in (1, 2, 1):
        np.save(tmp_path / "w.npy", np.full((4, 4), fill, np.int8))
        keys.append(read_sweep(path).points[0].key)
    assert keys[0] == keys[2] != keys[1]


def test_networks_points_and_grids(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "networks: [{file: samples}, {name: other, file: samples}]\n"
        "points: [{decoder.lanes: 8}, {decoder.lanes: 4, seed: 2}]\n"
    )
    points = read_sweep(path).points
    assert [(p.network, p.settings) for p in points] == [
        ("samples", {"decoder.lanes": 8}),
        ("samples", {"decoder.lanes": 4, "seed": 2}),
        ("other", {"decoder.lanes": 8}),
        ("other", {"decoder.lanes": 4, "seed": 2}),
    ]


def test_a_base_may_be_a_file_beside_it(tmp_path):
    (tmp_path / "base.yaml").write_text("preset: embedded\n")
    path = tmp_path / "sweep.yaml"
    path.write_text("base: base.yaml\n")
    (point,) = read_sweep(path).points
    assert point.config.decoder.lanes == 32


def test_a_sweep_runs_on_a_cluster_and_writes_its_tables(config, tmp_path, scheduler):
    out = tmp_path / "out"
    result = invoke(config, out, "--scheduler", scheduler, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    rows = document["rows"]
    assert document["schema"] == "atalanta.sweep/1"
    assert [r["point"] for r in rows] == [p for p in range(4) for _ in range(3)]
    assert [r["codec"] for r in rows] == ["none", "shapeshifter", "atalanta"] * 4
    assert {r["accelerator.macs_per_cycle"] for r in rows if r["point"] == 1} == {64}
    cycles = {(r["point"], r["codec"]): r["compute_bound_cycles"] for r in rows}
    assert cycles[0, "none"] == 4 * cycles[1, "none"] == 256
    with (out / "sweep.csv").open(newline="") as file:
        table_rows = list(csv.DictReader(file))
    assert [int(r["cycles"]) for r in table_rows] == [r["cycles"] for r in rows]
    columns = parquet.read_table(out / "sweep.parquet").to_pylist()
    assert [{k: r[k] for k in ("point", "codec", "cycles", "dram_energy_j")} for r in columns] == [
        {k: r[k] for k in ("point", "codec", "cycles", "dram_energy_j")} for r in rows
    ]
    assert (out / "pareto.png").read_bytes().startswith(b"\x89PNG")

    # Again: nothing is computed, and the tables are the same.
    again = run_sweep(read_sweep(config), Store(out), nothing_to_do)
    assert again == {}
    assert table(read_sweep(config), Store(out)) == rows

    # A wider sweep computes what is new, and nothing else.
    before = {p.name: p.stat().st_mtime_ns for p in (out / "points").iterdir()}
    config.write_text(SWEEP.replace("[16, 64]", "[64, 16, 32]"))
    result = invoke(config, out, "--scheduler", scheduler, "--json", "--layers")
    assert result.exit_code == 0, result.output
    after = {p.name: p.stat().st_mtime_ns for p in (out / "points").iterdir()}
    assert len(after) == 6
    assert {name: after[name] for name in before} == before
    assert [r["layer"] for r in json.loads(result.output)["rows"][:2]] == ["fc", "all"]


def test_a_failed_point_is_reported_and_costs_no_other(config, tmp_path, scheduler):
    config.write_text(
        SWEEP.replace("accelerator.macs_per_cycle: [16, 64]", "accelerator.buffer_bytes: [9000, 20]")
    )
    out = tmp_path / "out"
    result = invoke(config, out, "--scheduler", scheduler)
    assert result.exit_code == 2
    assert "2 of 4 points failed: point 1" in result.output
    assert "layer fc does not fit on the chip" in result.output
    document = json.loads((out / "sweep.json").read_text())
    assert [f["point"] for f in document["failed"]] == [1, 3]
    assert {r["point"] for r in document["rows"]} == {0, 2}
    assert len(list((out / "points").iterdir())) == 2


def test_the_same_point_twice_is_computed_once(tmp_path, scheduler, config):
    config.write_text(SWEEP.replace("[ideal, ddr4-2400]", "[ideal, ideal]"))
    out = tmp_path / "out"
    result = invoke(config, out, "--scheduler", scheduler, "--json")
    assert result.exit_code == 0, result.output
    assert len(list((out / "points").iterdir())) == 2
    assert [r["point"] for r in json.loads(result.output)["rows"]][::3] == [0, 1, 2, 3]


def test_a_killed_sweep_goes_on_where_it_was(config, tmp_path, scheduler):
    macs = ", ".join(str(n) for n in range(10, 16))
    config.write_text(SWEEP.replace("[16, 64]", f"[{macs}]"))
    out = tmp_path / "out"
    program = "from atalanta.tools.cli import main; main()"
    command = [sys.executable, "-c", program, "sweep", str(config), "-o", str(out), "--scheduler", scheduler]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    points = out / "points"
    deadline = time.monotonic() + 120
    while not (points.is_dir() and list(points.glob("*.json"))):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = {p.name: p.stat().st_mtime_ns for p in points.glob("*.json")}
    assert 1 <= len(done) <= 12
    result = invoke(config, out, "--scheduler", scheduler, "--json")
    assert result.exit_code == 0, result.output
    assert {name: (points / name).stat().st_mtime_ns for name in done} == done
    assert len(json.loads(result.output)["rows"]) == 12 * 3


def test_without_a_scheduler_processes_of_this_machine_do_the_work(config, tmp_path):
    config.write_text(SWEEP.replace("[ideal, ddr4-2400]", "[ideal]"))
    result = invoke(config, tmp_path / "out", "--workers", "1", "--json")
    assert result.exit_code == 0, result.output
    assert [r["point"] for r in json.loads(result.output)["rows"]] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {memory.prset: [ideal]}", "point 0 (memory.prset=ideal): memory.prset is not known; did"),
        ("grd: {}", "grd is not known; did you mean grid?"),
        ("grid: {seed: 3}", "grid.seed: Input should be a valid list"),
        ("grid: {seed: []}", "there are no points"),
        ("pareto: [a]", "pareto must name two columns, not 1"),
        ("base: ../x.yaml", "../x.yaml: No such file"),
    ],
)  # fmt: skip
def test_bad_sweeps_are_refused_before_anything_runs(tmp_path, text, message):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    result = invoke(path, tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_points_that_cannot_be_built_are_refused_before_anything_runs(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("grid: {decoder.lanes: [16, 12]}")
    with pytest.raises((ParameterError, ConfigError), match="lanes must be"):
        read_sweep(path)


def test_a_scheduler_that_is_not_there_is_one_line(config, tmp_path):
    result = invoke(config, tmp_path / "out", "--scheduler", "nonsense://nowhere")
    assert result.exit_code == 2
    assert "no Dask scheduler at nonsense://nowhere" in result.output


def test_columns_that_are_not_numbers_make_no_chart(config, tmp_path, scheduler):
    config.write_text(SWEEP + "pareto: [time_s, layer]\n")
    result = invoke(config, tmp_path / "out", "--scheduler", scheduler)
    assert result.exit_code == 2
    assert "pareto names layer, which is no column of numbers here" in result.output


def test_the_front_is_what_nothing_beats():
    points = [(3, 1), (1, 3), (2, 2), (2, 3), (3, 3), (1, 3), (4, 1)]
    assert front(points) == [(1, 3), (2, 2), (3, 1)]


def test_the_example_is_a_sweep_of_twelve_points():
    points = read_sweep(Path(network.__file__).parent / "examples" / "sweep.yaml").points
    assert len(points) == 12
    assert {p.config.memory.dram.bus_width for p in points} == {16, 32}
    assert {p.network for p in points} == {"by hand"}
