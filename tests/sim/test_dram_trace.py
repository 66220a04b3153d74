"""Trace files: written, read back, and refused when they make no sense."""

import numpy as np
import pytest
from dram_workloads import arrays, random_mix

from atalanta.golden.errors import InputError, ParameterError
from atalanta.sim.dram_presets import preset
from atalanta.sim.trace import FORMATS, Trace, read_trace, write_trace

SMALL = Trace(*arrays([0x1000, 0x40], [False, True], [3, 40]))
LINES = {
    "csv": "arrival_cycle,address,operation\n3,0x1000,read\n40,0x40,write\n",
    "dramsim3": "0x1000 READ 3\n0x40 WRITE 40\n",
    "ramulator": "0x1000 R\n0x40 W\n",
    "ramulator2": "LD 0x1000\nST 0x40\n",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_are_what_those_simulators_read(tmp_path, kind):
    path = tmp_path / "trace"
    write_trace(path, SMALL, kind)
    assert path.read_text() == LINES[kind]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_back(tmp_path, kind):
    trace = Trace(*random_mix(preset("ddr4-3200"), 500, 1))
    path = tmp_path / "trace"
    write_trace(path, trace, kind)
    back = read_trace(path, kind)
    assert (back.addresses == trace.addresses).all()
    assert (back.writes == trace.writes).all()
    timed = kind in ("csv", "dramsim3")
    assert (back.arrivals == (trace.arrivals if timed else np.zeros(500))).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_empty_traces(tmp_path, kind):
    path = tmp_path / "trace"
    write_trace(path, Trace(*arrays([], [], [])), kind)
    assert len(read_trace(path, kind)) == 0


@pytest.mark.parametrize(("kind", "text", "message"), [
    ("csv", "address,arrival\n", ":1: the header must be arrival_cycle,address,operation"),
    ("csv", "arrival_cycle,address,operation\n0,0x0,fetch\n", ":2: .*must be read or write, not 'fetch'"),
    ("csv", "arrival_cycle,address,operation\n0,0x0\n", ":2: not a csv request"),
    ("dramsim3", "0x0 READ 0\n0x0 READ soon\n", ":2: not a dramsim3 request"),
    ("dramsim3", "0x0 READ 5\n0x0 READ 4\n", "must not decrease"),
    ("dramsim3", "-4 READ 5\n", "out of range"),
    ("ramulator", "0x0 P\n", ":1: .*operation must be R or W"),
    ("ramulator2", "0x0 LD\n", ":1: .*operation must be LD or ST"),
])  # fmt: skip
def test_bad_lines_are_refused_by_number(tmp_path, kind, text, message):
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_trace(path, kind)


def test_unknown_format_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="kind must be one of csv, dramsim3"):
        read_trace(tmp_path / "none", "gem5")
    with pytest.raises(ParameterError, match="kind"):
        write_trace(tmp_path / "none", SMALL, "gem5")
