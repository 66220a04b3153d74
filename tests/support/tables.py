"""Probability tables of every kind, as golden has them and as the hardware takes them."""

from random import Random
from typing import Any

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.params import Precision
from atalanta.golden.table import PUBLISHED, Table


def random_table(random: Random, bits: int, most_rows: int, precision: Precision = PUBLISHED) -> Table:
    """Rows of one value, rows without counts and rows with a count of 1 are all likely."""
    rows = random.randint(1, min(most_rows, 1 << bits))
    cuts = sorted(random.sample(range(1, 1 << bits), rows - 1))
    if random.random() < 0.5:  # small counts but for one row
        steps = [random.choice([0, 1, 1, 2, 3]) for _ in range(rows - 1)]
        while sum(steps) > precision.total:
            steps.pop()
        big = random.randrange(rows)
        counts = [*steps[:big], precision.total - sum(steps), *steps[big:]]
        cums = [sum(counts[:i]) for i in range(1, rows)]
    else:
        cums = sorted(random.randint(0, precision.total) for _ in range(rows - 1))
    return Table(bits, (0, *cuts), (0, *cums), precision)


def hardware_rows(table: Table, p: DecoderParams, *, signed: bool = False) -> list[dict[str, Any]]:
    """What the hardware's Rows component makes of a table: the contents of `table_layout`."""
    middle = 1 << table.bits - 1 if signed else 0
    beyond = {"cum": p.precision.total, "base": 0, "offset_bits": 0, "last": 0}
    rows = [
        {
            "cum": table.cum[row],
            "base": table.v_min[row] - middle & ((1 << p.value_bits) - 1),
            "offset_bits": table.offset_bits[row],
            "last": table.width(row) - 1,
        }
        for row in range(table.rows)
    ]
    return rows + [beyond] * (p.rows - table.rows)
