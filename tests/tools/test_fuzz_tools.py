"""The commands around fuzzing: their answers, and the sanitizers' run itself."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from atalanta.golden.errors import AtalantaError
from atalanta.tools.fuzz import __main__ as command
from atalanta.tools.fuzz import sanitize
from atalanta.tools.fuzz.check import OK, check
from atalanta.tools.fuzz.run import stream

VECTORS = Path(__file__).parents[1] / "vectors"


def test_one_stream_again() -> None:
    number = next(n for n in range(1000) if check(stream(1, n)).end != OK)
    result = CliRunner().invoke(command.main, ["--only", str(number)])
    assert result.output == f"{check(stream(1, number)).end}\n"


def test_streams_that_break_a_promise_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "fuzz", lambda *_: (Counter({OK: 9}), [(4, "ValueError: why")]))
    result = CliRunner().invoke(command.main, ["--streams", "10", "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "stream 4: ValueError: why" in result.output
    assert (tmp_path / "out" / "seed1_4.atl").read_bytes() == stream(1, 4)


def test_a_library_that_cannot_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("g++"):
        pytest.skip("there is no g++")
    (tmp_path / "x.cc").write_text("int f( {")
    monkeypatch.setattr(sanitize, "SOURCES", tmp_path)
    with pytest.raises(AtalantaError, match=r"g\+\+ failed"):
        sanitize.build(tmp_path / "x.so")


@pytest.mark.slow
def test_sanitizers() -> None:
    """A minute: compiles the codec with ASan and UBSan and runs the corpus."""
    result = CliRunner().invoke(sanitize.main, ["--streams", "500", "--corpus", str(VECTORS)])
    assert result.exit_code == 0, result.output
    assert "the sanitizers found nothing" in result.output
