"""Fixtures for the codec's tests."""

from collections.abc import Iterator

import pytest

from atalanta.golden import native
from atalanta.golden.engine import NATIVE, REFERENCE

VECTOR_WIDTHS = (16, 8, 0)


@pytest.fixture(params=VECTOR_WIDTHS, ids=lambda lanes: f"vectors{lanes}")
def vectors(request: pytest.FixtureRequest) -> Iterator[int]:
    """Runs the test with each of the library's kernels that this machine has."""
    if native.missing():
        pytest.skip(native.missing())
    if native.limit_vectors(request.param) != request.param:
        native.limit_vectors()
        pytest.skip("this processor has no such vectors")
    yield request.param
    native.limit_vectors()


@pytest.fixture
def library() -> None:
    """Skips the test where the compiled library is missing."""
    if native.missing():
        pytest.skip(native.missing())


@pytest.fixture(params=[REFERENCE, NATIVE])
def engine(request: pytest.FixtureRequest) -> str:
    """Runs the test with each engine that there is."""
    if request.param == NATIVE and native.missing():
        pytest.skip(native.missing())
    name: str = request.param
    return name
