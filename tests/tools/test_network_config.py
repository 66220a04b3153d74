"""Configurations: what is legal, what is refused and how the message helps."""

from fractions import Fraction

import pytest

from atalanta.golden.errors import ParameterError
from atalanta.sim.accelerator import Accelerator
from atalanta.sim.dram_presets import preset
from atalanta.tools.network import presets
from atalanta.tools.network.config import ConfigError, dump, merge, read_yaml, resolve, settings, with_value


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_machine(name):
    machine = resolve({"preset": name}, "x").machine()
    assert machine.accelerator.macs_per_cycle > 0
    assert machine.port.dram is not None


def test_what_is_not_given_comes_from_the_preset_and_the_rest_are_defaults():
    config = resolve({"preset": "embedded", "accelerator": {"macs_per_cycle": 77}}, "x")
    machine = config.machine()
    assert machine.accelerator.macs_per_cycle == 77
    assert machine.accelerator.clock_mhz == 800
    assert machine.accelerator.overlap_tiles == Accelerator().overlap_tiles
    assert machine.decoder.lanes == 32
    assert machine.port.dram == preset("ddr4-3200", bus_width=32)


def test_decoders_share_the_memory():
    machine = resolve({"preset": "server"}, "x").machine()
    assert machine.ports == 8
    assert machine.port.dram.channels * 8 == preset("hbm2-2000").channels
    ideal = resolve(
        {"decoders": 4, "memory": {"preset": "ideal", "bytes_per_cycle": 6.0}, "preset": "none"}, "x"
    )
    assert ideal.machine().port.bytes_per_cycle == Fraction(3, 2)
    assert ideal.machine().peak_bytes_per_cycle == 6


def test_a_resolved_configuration_reads_back_as_itself(tmp_path):
    config = resolve({"preset": "mobile", "epoch_cycles": 50, "memory": {"dram": {"t_rcd": 40}}}, "x")
    path = tmp_path / "config.yaml"
    path.write_text(dump(config))
    assert resolve(read_yaml(path), "x") == config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"acelerator": {}}, "c.yaml: acelerator is not known; did you mean accelerator?"),
        (
            {"accelerator": {"mac_per_cycle": 3}},
            "c.yaml: accelerator.mac_per_cycle is not known; did you mean macs_per_cycle?",
        ),
        ({"decoder": {"lane": 3}}, "c.yaml: decoder.lane is not known; did you mean lanes?"),
        ({"memory": {"dram": {"t_rdc": 3}}}, "c.yaml: memory.dram.t_rdc is not known; did you mean t_rc"),
        (
            {"network": {"layers": [{"name": "a"}, {"nme": "x"}]}},
            "c.yaml: network.layers[1].nme is not known; did you mean name?",
        ),
        (
            {"network": {"tensors": {"w": {"shap": [1]}}}},
            "c.yaml: network.tensors.w.shap is not known; did you mean shape?",
        ),
        ({"coding": {"zzz": 1}}, "c.yaml: coding.zzz is not known; legal here: fit_lanes"),
        (
            {"preset": "egde"},
            "preset must be one of edge, embedded, mobile, server, none, not 'egde'; did you mean edge?",
        ),
        ({"accelerator": {"macs_per_cycle": "3"}}, "macs_per_cycle: Input should be a valid integer"),
        ({"accelerator": {"macs_per_cycle": 3.5}}, "macs_per_cycle: Input should be a valid integer"),
        ({"accelerator": {"double_buffering": 1}}, "double_buffering: Input should be a valid boolean"),
        ({"accelerator": 5}, "c.yaml: accelerator: "),
        ({"decoder": {"lanes": True}}, "decoder.lanes: Input should be a valid integer"),
        ({"memory": {"preset": "ddr5"}}, "memory.preset: Input should be 'ideal', 'ddr4-2400'"),
        ({"codecs": ["zip"]}, "codecs.0: Input should be"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"network": {"images": 0}}, "network.images: Input should be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_would_be_right(data, message):
    with pytest.raises(ConfigError) as caught:
        resolve(data, "c.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"decoder": {"prefetch": 4}}, "prefetch must be"),
        ({"decoder": {"lane_fifo": 1}}, "lane_fifo must be"),
        ({"decoder": {"lanes": 12}}, "lanes must be"),
        ({"accelerator": {"buffer_bytes": 0}}, "buffer_bytes must be at least 1"),
        ({"memory": {"preset": "ideal", "latency_cycles": 0}}, "latency of"),
        ({"decoders": 2}, "decoders must be a divisor of the memory's 1 channels, not 2"),
        ({"memory": {"bytes_per_cycle": 4.0}}, "bytes_per_cycle must be left out with a DRAM"),
        ({"memory": {"dram": {"bus_width": 24}}}, "bus_width must be a power of two"),
        ({"memory": {"dram": {"mapping": "rocobank"}}}, "mapping must be the six fields"),
    ],
)  # fmt: skip
def test_machines_that_cannot_be_are_refused_before_anything_runs(data, message):
    with pytest.raises(ParameterError, match=message):
        resolve(data, "c.yaml").machine()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not YAML"),
        ("- 1", "must hold keys and values, not list"),
        ("accelerator:\n  clock_mhz: 1\n  clock_mhz: 2\n", "clock_mhz is given twice"),
        ("a: !!python/object:os.system {}", "not YAML"),
    ],
)
def test_files_that_are_not_configurations_are_refused(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_an_empty_file_is_the_default(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert resolve(read_yaml(path), "x") == resolve({}, "x")


def test_single_values_are_read_as_yaml():
    assert settings(["a.b=3", "c=text", "d=[1, 2]", "e="]) == [
        ("a.b", 3),
        ("c", "text"),
        ("d", [1, 2]),
        ("e", None),
    ]
    with pytest.raises(ConfigError, match="a setting is written KEY=VALUE, not 'lanes'"):
        settings(["lanes"])
    with pytest.raises(ConfigError, match="k: not a YAML value"):
        settings(["k=[1"])


def test_values_are_laid_over_sections():
    assert merge({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "b": {"z": 1}}) == {
        "a": {"x": 1, "y": 5},
        "b": {"z": 1},
    }
    data = {"a": {"x": 1}}
    assert with_value(data, "a.y.z", 2) == {"a": {"x": 1, "y": {"z": 2}}}
    assert data == {"a": {"x": 1}}
