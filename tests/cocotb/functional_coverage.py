"""Functional coverage: points with bins that are all to be seen, and a report of how often they were."""

import json
from collections.abc import Iterable
from pathlib import Path


class Coverage:
    """Counts what happened, by point and bin. A bin that no point has is an error, not a new bin."""

    def __init__(self, points: dict[str, Iterable[object]]) -> None:
        self._hits = {point: dict.fromkeys(map(str, bins), 0) for point, bins in points.items()}

    def hit(self, point: str, bin_: object) -> None:
        """Something of that kind happened."""
        if str(bin_) not in self._hits[point]:
            raise KeyError(f"coverage point {point!r} has no bin {bin_!r}")
        self._hits[point][str(bin_)] += 1

    def hit_all(self, point: str, bins: Iterable[object]) -> None:
        """So did all of these."""
        for bin_ in bins:
            self.hit(point, bin_)

    @property
    def empty(self) -> list[str]:
        """Bins that nothing has hit."""
        return [f"{p}: {b}" for p, bins in self._hits.items() for b, count in bins.items() if not count]

    def text(self) -> str:
        """The report, a line for each bin."""
        lines = []
        for point, bins in self._hits.items():
            full = sum(map(bool, bins.values()))
            lines.append(f"{point}: {full} of {len(bins)} bins")
            lines += [f"  {bin_:<28} {count or 'EMPTY':>10}" for bin_, count in bins.items()]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """coverage.json and coverage.txt in `folder`."""
        (folder / "coverage.json").write_text(
            json.dumps({"empty": self.empty, "points": self._hits}, indent=1)
        )
        (folder / "coverage.txt").write_text(self.text())
