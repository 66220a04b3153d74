"""The generated parts of FORMAT.md: tables from `format`, limits, errors, worked examples.

    python -m atalanta.golden.document

writes them anew between the marks `<!-- NAME -->` and `<!-- end -->`; the prose around them stays. A test
keeps file and code equal.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from atalanta.golden import container, params
from atalanta.golden import format as fmt
from atalanta.golden.bits import BitReader
from atalanta.golden.codec import CODECS
from atalanta.golden.coder import WayDecoder
from atalanta.golden.container import Segment
from atalanta.golden.errors import MEANING
from atalanta.golden.format import Record
from atalanta.golden.reference import shapeshifter
from atalanta.golden.table import PUBLISHED, Table
from atalanta.golden.values import Array, Mapping, to_codes

PATH = Path(__file__).with_name("FORMAT.md")
_PART = re.compile(r"(<!-- (?!end)([\w ,<>=-]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(text: str) -> str:
    """FORMAT.md with every part between marks generated anew. Raises KeyError for a mark not known."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(heads), *([str(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fields(record: Record) -> str:
    rows = []
    for field in record:
        at = record.offsets[field.name]
        bits = f"{at}" if field.width == 1 else f"{at}..{at + field.width - 1}"
        rows.append((f"{at // 8}", bits, field.width, f"`{field.name}`", field.meaning))
    return _table(("byte", "bits", "width", "field", "meaning"), rows)


def _numbers(legal: range | tuple[int, ...]) -> str:
    if isinstance(legal, range):
        return f"{legal.start}..{legal.stop - 1}"
    return ", ".join(map(str, legal))


def _limits() -> str:
    rows = (
        ("n", "bits of a value", f"{params.MIN_BITS}..{params.MAX_BITS}"),
        ("N", "values of a segment", f"0..{params.MAX_SEGMENT_VALUES}"),
        ("", "... of every segment but a tensor's last", f"a multiple of {fmt.SEGMENT_MULTIPLE}"),
        ("L", "lanes", _numbers(params.LANES)),
        ("W", "ways", _numbers(params.WAYS)),
        ("B", "bytes of a beat", _numbers(params.BEAT_BYTES)),
        ("F", "beats that a lane can hold", _numbers(params.LANE_DEPTH)),
        ("R", "rows of the table", f"1..{params.MAX_ROWS}"),
        ("", "bits of a word", fmt.WORD_BITS),
        ("", "words of lookahead", fmt.LOOKAHEAD_WORDS),
        ("", "bits of the coder's window", PUBLISHED.code),
        ("", "bits of a count, sum of all counts", f"{PUBLISHED.count}, {PUBLISHED.total}"),
        ("G", "values of a ShapeShifter group", _numbers(params.GROUP)),
        ("D", "groups by which headers lead", _numbers(params.LEAD)),
        ("", "bytes of a header block", fmt.BLOCK_BYTES),
    )
    return _table(("name", "what", "legal"), rows)


def _errors() -> str:
    return _table(("code", "name", "meaning"), ((int(c), f"`{c.name}`", text) for c, text in MEANING.items()))


def _software_codecs() -> str:
    """Codecs that come with the package beyond those of the hardware."""
    rows = []
    for codec in sorted(CODECS.values(), key=lambda codec: codec.id):
        if not codec.hardware and codec.__module__.startswith("atalanta.golden."):
            fields = ", ".join(f"`{f.name}` {f.width}" for f in codec.record if f.name != "reserved")
            about = (codec.__doc__ or "").strip().splitlines()[0]
            rows.append((codec.id, codec.name, codec.mapping.value, fields or "none", about))
    return _table(("codec", "name", "mapping", "parameters, width in bits", "what it is"), rows)


# The worked examples.

EXAMPLE: Array = np.array([[0, -3, 40, 5], [-100, 1, 17, -2]], np.int8)
EXAMPLE_TABLE = Table(8, (0, 120, 136), (0, 100, 900))
GROUPS: Array = np.array([0, 3, 0, -1, 2, 0, 0, 0, 9, 0], np.int8)


def _encode(array: Array, codec: str, **options: Any) -> tuple[bytes, Segment]:
    (coded,) = container.encode_segments(array, codec, fallback=False, **options)
    data = coded.header + coded.body.payload
    return data, next(container.segments(data))


def example_stream() -> bytes:
    """The stream of the first worked example."""
    return _encode(EXAMPLE, "atalanta", lanes=1, ways=2, table=EXAMPLE_TABLE, fit=False)[0]


def group_stream() -> bytes:
    """The stream of the second."""
    return _encode(GROUPS, "shapeshifter", group=8, mask=True, zero_width=True, lead=1)[0]


def _hex(data: bytes) -> str:
    return "\n".join(f"    {at:04x}  {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))


def _bits(value: int, width: int) -> str:
    return f"`{value:0{width}b}`" if width else ""


def _header(data: bytes, record: Record) -> Iterator[tuple[str, str]]:
    for name, value in record.unpack(data).items():
        wide = name.endswith("crc") or name in ("magic", "params")
        yield f"`{name}`", f"{value:#x}" if wide else str(value)


def _atalanta_header() -> str:
    data, segment = _encode(EXAMPLE, "atalanta", lanes=1, ways=2, table=EXAMPLE_TABLE, fit=False)
    head = segment.header
    rows = list(_header(data[: fmt.BASE.nbytes], fmt.BASE))
    rows += _header(head.params.to_bytes(4, "little"), fmt.ATALANTA_PARAMS)
    row = fmt.row_record(head.bits)
    for number in range(segment.layout.params.rows):
        at = fmt.BASE.nbytes + number * row.nbytes
        fields = row.unpack(data[at : at + row.nbytes])
        rows.append((f"row {number}", ", ".join(f"{name} {value}" for name, value in fields.items())))
    shape = head.sections[segment.codec.section_bytes(segment.layout) :]
    rows.append(("shape", shape.hex(" ")))
    rows.append(("payload", data[head.payload_start :].hex(" ")))
    values = ", ".join(str(v) for v in EXAMPLE.reshape(-1))
    codes = ", ".join(str(c) for c in to_codes(EXAMPLE, 8, signed=True, mapping=Mapping.OFFSET_BINARY))
    return f"Values {values}; codes {codes}.\n\n{_hex(data)}\n\n{_table(('field', 'value'), rows)}"


def _atalanta_slots() -> str:
    """The decoder's steps, from the stream alone."""
    data, segment = _encode(EXAMPLE, "atalanta", lanes=1, ways=2, table=EXAMPLE_TABLE, fit=False)
    table, ways, count = segment.layout.table, segment.layout.params.ways, segment.header.count
    source = BitReader(segment.payload(data))
    states: list[WayDecoder] = []
    rows: list[tuple[object, ...]] = []
    for way in range(ways):
        code = source.get("code", PUBLISHED.code)
        states.append(WayDecoder(code))
        rows.append((way, way, "", code, "", "", f"code {_bits(code, PUBLISHED.code)}", "", ""))
    for k in range(count):
        way = k % ways
        state = states[way]
        window, delta = state.window.range, state.delta
        row, shift = state.decode(table)
        refill = ""
        if k + ways < count:
            taken = source.get("refill", shift)
            state.refill(shift, taken)
            refill = _bits(taken, shift)
        width = table.offset_bits[row]
        offset = source.get("offset", width)
        code = table.v_min[row] + offset
        steps = (k + ways, way, window, delta, row, shift, refill, _bits(offset, width), code - 128)
        rows.append(steps)
    heads = ("slot", "way", "range", "delta", "row", "shift", "refill", "offset", "value")
    used = f"{source.position} bits of {8 * segment.header.payload_bytes}; the rest is padding."
    return f"{_table(heads, rows)}\n\n{used}"


def _group_fields() -> str:
    data, segment = _encode(GROUPS, "shapeshifter", group=8, mask=True, zero_width=True, lead=1)
    rows: list[tuple[str, int, str]] = []
    payload = segment.payload(data)
    shapeshifter.decode(
        payload,
        GROUPS.size,
        segment.layout,
        lambda name, width, value: rows.append((name, width, _bits(value, width))),
    )
    values = ", ".join(map(str, GROUPS))
    codes = ", ".join(str(c) for c in to_codes(GROUPS, 8, signed=True, mapping=Mapping.SIGN_MAGNITUDE))
    text = f"Values {values}; codes {codes}. Payload `{payload.hex(' ')}`."
    return f"{text}\n\n{_table(('field', 'width', 'bits'), rows)}"


PARTS: dict[str, Callable[[], str]] = {
    "limits": _limits,
    "errors": _errors,
    "software codecs": _software_codecs,
    "atalanta example": _atalanta_header,
    "atalanta example slots": _atalanta_slots,
    "shapeshifter example": _group_fields,
}
"""What can stand between marks, by name."""

for _record in (
    fmt.BASE,
    fmt.ATALANTA_PARAMS,
    fmt.SHAPESHIFTER_PARAMS,
    fmt.RAW_PARAMS,
    fmt.NARROW_ROW,
    fmt.WIDE_ROW,
    fmt.LANE_LENGTH,
    fmt.ARCHIVE_HEAD,
):
    PARTS[_record.name] = lambda record=_record: _fields(record)  # type: ignore[misc]


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
