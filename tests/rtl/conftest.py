"""The compiled cores of these tests, each built once, also when tests run on several processes."""

from collections.abc import Callable, Iterator

import pytest
from filelock import FileLock
from rtl_cases import BUILDS

from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.rtl.build import build, cache_folder
from atalanta.tools.rtl.core import CompiledCore
from atalanta.tools.samples import sample_path


@pytest.fixture(scope="session")
def cores() -> Iterator[Callable[[str], CompiledCore]]:
    """A core by the name of its build."""
    opened: dict[str, CompiledCore] = {}

    def core(name: str) -> CompiledCore:
        if name not in opened:
            cache_folder().mkdir(parents=True, exist_ok=True)
            with FileLock(cache_folder() / f"tests-{name}.lock"):
                library = build(BUILDS[name])
            opened[name] = CompiledCore(BUILDS[name], library)
        return opened[name]

    yield core
    for made in opened.values():
        made.close()


@pytest.fixture(scope="session")
def samples() -> TensorFile:
    """The real tensors that ship with the package."""
    return TensorFile.open(sample_path())
