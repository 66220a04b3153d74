"""The notebook runs from top to bottom and prints what stands in it."""

from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[2] / "tools" / "notebooks" / "tour.ipynb"


def printed(cell: Any) -> str:
    return "".join(o.text for o in cell.get("outputs", []) if o.get("name") == "stdout")


def test_the_tour_runs(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    shown = nbformat.read(NOTEBOOK, as_version=4)
    run = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        run, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    cells = [(a, b) for a, b in zip(shown.cells, run.cells, strict=True) if a.cell_type == "code"]
    assert [cell.execution_count for cell, _ in cells] == list(range(1, len(cells) + 1))
    for before, after in cells:
        assert printed(after) == printed(before)
        kinds = [o.output_type for o in after.outputs if o.get("name") != "stderr"]
        assert ("display_data" in kinds) == ("plt." in after.source and "import" not in after.source)
