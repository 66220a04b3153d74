"""Tables from samples: for tensors that are not known yet when the table is chosen, such as activations.

Such a table is the best for all samples together, with every row that holds a value at a count of 1 or more:
values that no sample has are coded too, at a price.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from atalanta.golden.engine import AUTO
from atalanta.golden.errors import InputError, StreamError
from atalanta.golden.histogram import histogram
from atalanta.golden.search import search
from atalanta.golden.table import Table
from atalanta.golden.values import Array, check_array, to_codes
from atalanta.golden.values import Mapping as Codes


def profile(
    samples: Iterable[Array], *, bits: int | None = None, rows: int = 16, engine: str = AUTO
) -> Table:
    """The table for tensors like the samples, which have one dtype; for `encode(array, table=...)`.

    bits: of a value, by default those of the dtype. rows: of the table, at most.
    Raises InputError for no samples, of different dtypes, or that cannot be coded.
    """
    total = None
    dtype = None
    for sample in samples:
        array, found, signed = check_array(sample, bits)
        if dtype is not None and array.dtype != dtype:
            raise InputError(f"samples of {dtype} and of {array.dtype}")
        dtype = array.dtype
        codes = to_codes(array, found, signed, Codes.OFFSET_BINARY)
        counts = histogram(codes, found, engine=engine)
        total = counts if total is None else total + counts
    if total is None:
        raise InputError("a profile needs a sample")
    return search(total, rows=rows, unseen=True, engine=engine).table


def table_to_json(table: Table) -> dict[str, Any]:
    """The table as JSON holds it."""
    return {"bits": table.bits, "v_min": list(table.v_min), "cum": list(table.cum)}


def table_from_json(data: object, where: str) -> Table:
    """The table that `table_to_json` described. Raises InputError, which names `where`."""
    ok = isinstance(data, Mapping) and set(data) == {"bits", "v_min", "cum"} and type(data["bits"]) is int
    if ok and isinstance(data, Mapping):
        rows = (data["v_min"], data["cum"])
        if 2 <= data["bits"] <= 16 and all(
            isinstance(r, list) and all(type(n) is int for n in r) for r in rows
        ):
            try:
                return Table(data["bits"], tuple(rows[0]), tuple(rows[1]))
            except StreamError as error:
                raise InputError(f"{where}: {error}") from None
    raise InputError(f"{where} is not a table: bits, v_min and cum")
