"""The report in a real browser: charts are drawn, a filter filters, numbers are the document's."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from compare_data import activations, weights, write

from atalanta.tools.cli import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WITHOUT_BROWSER = "no Chromium on this machine (Debian: apt-get install chromium)"
NASTY = "</script><script>document.title='broken'</script><b>&"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a comparison of two networks and its report."""
    folder = tmp_path_factory.mktemp("report")
    small = write(folder / "small.npz", **{f"weights_{i:03}": weights(i) for i in range(12)})
    both = write(folder / "both.npz", weights_000=weights(), activations_000=activations())
    np.savez(folder / "nasty.npz", **{NASTY.replace("/", "_"): weights(3)})
    command = ["compare", str(small), str(both), str(folder / "nasty.npz"), "--html", "--no-figures",
               "--simulate", "--memory", "ddr4-3200", "--no-cache", "-o", str(folder)]  # fmt: skip
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip(WITHOUT_BROWSER)
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, results: Path) -> Iterator[Any]:
    """The report, opened from disk; fails if anything is complained of or asked of a network."""
    said: list[str] = []
    context = browser.new_context(color_scheme="light", accept_downloads=True)
    opened = context.new_page()
    opened.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    opened.goto((results / "report.html").as_uri())
    opened.wait_for_selector("body[data-ready=yes]")
    yield opened
    context.close()
    assert not said


def test_the_file_needs_no_network(results: Path) -> None:
    text = (results / "report.html").read_text(encoding="utf-8")
    head = text.partition("plotly.js")[0]
    assert "default-src 'none'" in head
    assert "http://" not in head
    assert "https://" not in head.partition('id="data"')[0]
    assert text.count("</script>") == 3


def test_charts_are_drawn(page: Any) -> None:
    for chart, bars in (("figure3-weight", 6), ("layer-sizes", 12), ("histogram", 256)):
        assert page.locator(f"#{chart} .bars .point").count() == bars, chart
    assert page.locator("#layers .scatterlayer .trace").count() == 5
    assert page.locator("#histogram .scatterlayer .trace").count() == 1
    assert page.locator("#layer-cycles .bars .point").count() > 0
    assert page.locator(".card").count() == 4


def test_the_filter_filters(page: Any) -> None:
    rows = page.locator("#tensors tbody tr")
    assert rows.count() == 12
    page.fill("#filter", "weights.01")
    assert rows.count() == 2
    assert page.text_content("#shown") == "2 of 12 tensors"
    assert page.locator("#layers .scatterlayer .trace").first.locator(".point").count() == 2
    page.fill("#filter", "nothing like it")
    assert rows.count() == 0
    page.fill("#filter", "")
    page.select_option("#network", label="both")
    assert rows.count() == 2
    page.select_option("#kind", "activation")
    assert rows.all_inner_texts()[0].startswith("activations.000")


def test_a_row_opens_its_layer(page: Any) -> None:
    page.locator("#tensors tbody tr").nth(4).click()
    assert page.text_content("#layer-title") == "small, weights.004: weights.004"
    assert page.locator("#tensors tr.chosen").get_attribute("data-key") == "weights.004"
    assert "1,200 values" in page.text_content("#layer-facts")


def test_every_number_can_be_taken_along(page: Any, results: Path) -> None:
    def taken(button: Any) -> str:
        with page.expect_download() as download:
            button.click()
        return Path(download.value.path()).read_text()

    document = json.loads((results / "compare.json").read_text())
    assert json.loads(taken(page.locator("#downloads button").nth(0))) == document
    assert taken(page.locator("#downloads button").nth(1)) == (results / "compare.csv").read_text()
    assert taken(page.locator("#downloads button").nth(2)) == (results / "compare_bits.csv").read_text()
    counts = document["networks"][0]["tensors"][0]["histogram"]["counts"]
    rows = [line.split(",") for line in taken(page.locator("#histogram figcaption button")).splitlines()]
    assert [int(y) for name, _, y in rows[1:] if name == "values"] == counts
    sizes = taken(page.locator("#sizes .bar button")).splitlines()
    ratio = document["networks"][0]["totals"]["weight"]["lines"]["atalanta"]["ratio"]
    assert sizes[1].startswith(f"Atalanta,{ratio:.4f},")


def test_light_and_dark(page: Any) -> None:
    def colours() -> tuple[str, str]:
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        chart = page.locator("#layers .main-svg").first.evaluate("e => e.style.background")
        return body, chart

    light = colours()
    page.click("#theme")
    dark = colours()
    assert light == ("rgb(255, 255, 255)", "rgb(255, 255, 255)")
    assert dark == ("rgb(18, 24, 30)", "rgb(18, 24, 30)")


def test_names_from_files_are_only_text(page: Any) -> None:
    page.select_option("#network", label="nasty")
    assert page.title() == "Atalanta: comparison of codecs"
    assert NASTY.replace("/", "_") in page.text_content("#layer-title")


def test_a_table_sorts(page: Any) -> None:
    head = page.locator("#tensors th", has_text="atalanta").first
    head.click()
    first = page.locator("#tensors tbody tr").first.get_attribute("data-key")
    head.click()
    assert page.locator("#tensors tbody tr").last.get_attribute("data-key") == first


def test_report_from_a_comparison(results: Path, tmp_path: Path) -> None:
    target = tmp_path / "again.html"
    result = CliRunner().invoke(main, ["report", str(results / "compare.json"), "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert target.read_bytes() == (results / "report.html").read_bytes()
    other = tmp_path / "other.json"
    other.write_text('{"schema": "x"}')
    wrong = CliRunner().invoke(main, ["report", str(other)])
    assert wrong.exit_code == 2
    assert "is not a comparison: its schema is 'x'" in wrong.stderr
