"""Coverage-guided fuzzing of everything that reads a stream, with Atheris.

    python -m atalanta.tools.fuzz.coverage [FOLDER] -max_total_time=600

FOLDER, `fuzz_corpus` by default, keeps what was found to reach new code; it starts with good streams.
Further words are libFuzzer's. Each input is decoded as it is and with its checksums made right, so that the
fuzzer does not have to find those; the reference is what its coverage is measured in, and the compiled codec
must agree with it. An input that breaks a promise is written to a file crash-..., which

    python -m atalanta.tools.fuzz.coverage FILE

shows again. Needs the extra `fuzz`.
"""

import sys
from pathlib import Path
from random import Random

try:
    import atheris
except ImportError as error:
    raise SystemExit("Error: this needs atheris: pip install 'atalanta[fuzz]'") from error

# The package imports golden by itself; what is to be instrumented has to be imported anew.
for _name in [name for name in sys.modules if name.startswith("atalanta.golden")]:
    del sys.modules[_name]

with atheris.instrument_imports(include=["atalanta.golden"]):
    from atalanta.tools.fuzz.check import check
    from atalanta.tools.fuzz.mutate import repaired, seed_stream

SEEDS = 200
MOST_BYTES = 4096
"""Length of an input at most."""


def one(data: bytes) -> None:
    """What is done with each input."""
    check(data)
    check(repaired(data))


def main() -> None:
    """Run libFuzzer."""
    words = sys.argv[1:]
    places = [word for word in words if not word.startswith("-")]
    if not places:
        places = ["fuzz_corpus"]
        words = [*places, *words]
    folder = Path(places[0])
    if not folder.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SEEDS):
            _, data = seed_stream(Random(number))
            (folder / f"seed_{number:03d}").write_bytes(data)
    atheris.Setup([sys.argv[0], f"-max_len={MOST_BYTES}", "-timeout=10", "-rss_limit_mb=1024", *words], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
