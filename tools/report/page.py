"""A comparison as one HTML file: data, styles, code and the chart library inside it."""

import json
from importlib import resources
from typing import Any

from atalanta.golden.decoder import CAUSES
from atalanta.tools.compare.document import layer_rows, part_rows, write_csv
from atalanta.tools.extract.extras import extra

PARTS = ("page.css", "page.html", "charts.js", "page.js")


def _embedded(data: object) -> str:
    """JSON for a script element: nothing in it can end the element or begin a comment."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def plotly() -> str:
    """The chart library's code. Raises MissingExtraError."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise extra("report", "plotly") from error
    return str(get_plotlyjs())


def page(document: dict[str, Any]) -> str:
    """The file's text. document: as `compare.document.make` makes it. Raises MissingExtraError."""
    text = {name: (resources.files(__package__) / name).read_text(encoding="utf-8") for name in PARTS}
    files = {
        "compare.csv": write_csv(layer_rows(document)).decode(),
        "compare_bits.csv": write_csv(part_rows(document)).decode(),
    }
    slots = {
        "style": text["page.css"],
        "data": _embedded({"document": document, "files": files, "causes": list(CAUSES)}),
        "plotly": plotly(),
        "charts": text["charts.js"],
        "page": text["page.js"],
    }
    pieces = text["page.html"].split("@@")  # text, name of a slot, text, ...
    pieces[1::2] = [slots[name] for name in pieces[1::2]]
    return "".join(pieces)
