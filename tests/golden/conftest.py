"""Fixtures for the codec's tests."""

from collections.abc import Iterator

import pytest

from atalanta.golden import compiled
from atalanta.golden.engine import NATIVE, REFERENCE

VECTOR_WIDTHS = (16, 8, 0)


@pytest.fixture(params=VECTOR_WIDTHS, ids=lambda lanes: f"vectors{lanes}")
def vectors(request: pytest.FixtureRequest) -> Iterator[int]:
    """Runs the test with each of the library's kernels that this machine has."""
    if compiled.missing():
        pytest.skip(compiled.missing())
    if compiled.limit_vectors(request.param) != request.param:
        compiled.limit_vectors()
        pytest.skip("this processor has no such vectors")
    yield request.param
    compiled.limit_vectors()


@pytest.fixture
def library() -> None:
    """Skips the test where the compiled library is missing."""
    if compiled.missing():
        pytest.skip(compiled.missing())


@pytest.fixture(params=[REFERENCE, NATIVE])
def engine(request: pytest.FixtureRequest) -> str:
    """Runs the test with each engine that there is."""
    if request.param == NATIVE and compiled.missing():
        pytest.skip(compiled.missing())
    name: str = request.param
    return name
