"""The fixture that proves, and the table of what was proved at the end of the run."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from formal_bench import Kind, Proof, Prove, Spec, prove

PROPERTY = "proof"


@pytest.fixture
def check(tmp_path: Path, record_property: Callable[[str, Any], None]) -> Prove:
    """Prove what a function writes into a specification, and put it into the table."""

    def run(describe: Callable[[Spec], None], kind: Kind, steps: int) -> Proof:
        spec = Spec(kind)
        describe(spec)
        proof = prove(spec, tmp_path, kind, steps)
        record_property(PROPERTY, asdict(proof))
        return proof

    return run


def _rows(reports: Iterable[pytest.TestReport]) -> Iterable[tuple[str, str, str, str, str]]:
    for report in reports:
        group, _, test = report.nodeid.rpartition("/")[2].partition("::")
        proofs: list[Any] = [value for name, value in report.user_properties if name == PROPERTY]
        for proof in proofs:
            seconds = f"{proof['seconds']:.1f}"
            for claim in proof["claims"]:
                if proof["kind"] == "cover":
                    how, result = f"cover, {proof['steps']}", f"reached in cycle {proof['reached'][claim]}"
                elif proof["kind"] == "bmc":
                    how, result = f"bmc, {proof['steps']}", "holds"
                else:
                    how, result = f"induction, {proof['steps']}", "holds for ever"
                yield (
                    f"{group.removeprefix('test_').removesuffix('.py')}: {claim}",
                    how,
                    seconds,
                    result,
                    test,
                )
                seconds = ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Property, kind and cycles, processor seconds of the run that it shares, result, test."""
    rows = list(_rows(terminalreporter.stats.get("passed", [])))
    if not rows:
        return
    rows.insert(0, ("property", "kind, cycles", "CPU s", "result", "test"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    terminalreporter.section("proofs")
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line(line.rstrip())
