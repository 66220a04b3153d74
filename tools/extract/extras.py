"""Packages that not every user has: one error for all of them."""

from atalanta.golden.errors import AtalantaError


class MissingExtraError(AtalantaError, ImportError):
    """A package that is needed here is not installed; the message says which extra brings it."""


def extra(name: str, package: str) -> MissingExtraError:
    """The error to raise if `package` cannot be imported. name: the extra of this project that has it."""
    return MissingExtraError(f"this needs {package}: pip install 'atalanta[{name}]'")
