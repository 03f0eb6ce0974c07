"""The report: self-contained, well formed, escaped, written whole, and saying what the figures say."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lipseg.errors import OutputError
from lipseg.evaluation import chart_style, figures, metrics, report, runs
from lipseg.evaluation.report import Chart, Component, Picture, Report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page, holds its tags to be balanced and keeps what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "data"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def summary(nme: float, f1: float) -> dict[str, Any]:
    region = {"f1_mean": f1, "iou_mean": f1 / (2 - f1), "f1_pooled": f1 + 0.001, "iou_pooled": 0.5, "faces": 40}
    return {
        "faces": 40,
        "missed": 0,
        "nme": {"mean": nme, "median": nme, "p95": 2 * nme, "fail_at_0.1": 0.0},
        "nme_width": {"mean": 2 * nme, "median": None, "p95": None},
        "contour": {"mean": nme / 2, "median": nme / 2, "p95": nme},
        "right": 0.005 if f1 == 0.8 else -0.01,
        "down": 0.0025,
        "failure_rate": 0.025,
        "auc": 0.6,
    } | {name: dict(region) for name in metrics.REGIONS}


def by_way(systems: dict[str, Any]) -> dict[str, Any]:
    """Returns systems with figures aligned, and a mean shape."""
    aligned = {"aligned": {region: {"f1_mean": 0.9} for region in ("mouth", "lips", "inner")}}
    return {name: figures | aligned for name, figures in (systems | {"mean_shape": summary(0.1, 0.5)}).items()}


def interval(low: float, high: float) -> dict[str, float]:
    return {"difference": (low + high) / 2, "low": low, "high": high}


def picture(seed: int, size: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size, size, 3)).astype(np.uint8)


def charts() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    epoch = np.arange(1, 21)
    base = rng.gamma(4, 0.01, 40)
    base[0] = np.nan
    return {
        "loss": figures.loss_curves({"epoch": epoch, "train_loss": 1 / epoch**2, "val_nme": 0.1 / epoch}),
        "criterion": figures.criterion_curves(
            {
                "components": [1, 2, 3, 1, 2, 3],
                "covariance": ["full"] * 3 + ["diag"] * 3,
                "bic": [9.0, 7.0, 8.0, 6.0, 5.0, np.nan],
                "validation": [1.0, 3.0, 2.0, 1.0, 2.0, 3.0],
            },
            chosen=2,
            criterion="bic",
            covariance="diag",
        ),
        "ced": figures.ced_plot({"jittered": {"base": base, "cascade": base * 0.9}, "exact": {"base": base * 0.8}}),
        "heads": figures.pull_curves(
            [
                {"head": "control", "pull": [3.0, 1.0], "validation_error": [0.05, 0.04]},
                {"head": "components", "pull": [], "validation_error": []},
            ],
            0.05,
        ),
        "places": figures.places({"a": rng.normal(0, 0.02, (40, 2)), "b": np.full((3, 2), np.nan)}),
        "error": figures.error_by({"opening [%]": rng.uniform(0, 1, 40)}, {"base": base, "cascade": base * 0.9}),
    }


@pytest.fixture(scope="module")
def svgs() -> dict[str, bytes]:
    return charts()


@pytest.fixture
def content(svgs: dict[str, bytes]) -> Report:
    systems = {"base": summary(0.05, 0.80), "cascade": summary(0.04, 0.81), "control": summary(0.045, 0.805)}
    chart = {name: Chart(f"title of {name}", f"sentence of {name}", svg) for name, svg in svgs.items()}
    return Report(
        title="Lips <& more>",
        subtitle="synthetic, seed 0",
        dataset={"source": "synthetic", "sizes": [1, 2]},
        splits={"train": 100, "test": 40},
        skipped={"broken <JPEG>": 3},
        params={"seed": 0, "cluster": {"max_components": 8, "covariances": ["full", "diag"]}},
        metrics={"jittered": systems, "exact": systems},
        intervals={
            "jittered": {
                "base": {"nme": {"mean": interval(-0.012, -0.008)}, "lips": {"f1_mean": interval(-0.01, 0.02)}},
                "control": {"nme": {"mean": interval(-0.006, -0.004)}},
            },
            "exact": {"base": {"nme": {"mean": interval(0.001, 0.002)}}},
        },
        sources={
            "all <together>": {"faces": 40, "systems": by_way(systems), "intervals": {}},
            "helen": {
                "faces": 25,
                "systems": by_way(systems),
                "intervals": {
                    "base": {"lips": {"f1_mean": interval(-0.01, 0.02)}, "inner": {"f1_mean": interval(-0.02, -0.01)}},
                    "control": {"aligned": {"lips": {"f1_mean": interval(0.001, 0.004)}}},
                },
            },
        },
        training=[chart["loss"]],
        selection=[chart["criterion"]],
        components=[
            Component(0, {"train": 60}, picture(1), [picture(2), picture(3)], systems, True, "state: <open>"),
            Component(1, {"train": 0}, None),
        ],
        heads=[chart["heads"]],
        errors=[chart["places"], chart["ced"], chart["error"]],
        examples=[Picture(picture(4), "face_<1>: NME 3.0 %")],
        best=[Picture(picture(5), "best & first")],
        worst={"helen": [Picture(picture(6), "worst")], "mine": [Picture(picture(7), "worst of mine")]},
        notes=["only <40> test faces"],
    )


def test_the_page_is_well_formed_and_needs_nothing_else(content: Report) -> None:
    text = report.render(content)
    page = Page(text)
    assert page.references
    assert [r for r in page.references if not r.startswith(("data:image/", "#"))] == []
    assert "script" not in page.seen
    assert re.findall(r"url\((?!#)|@import", text) == []
    # Namespaces of the SVGs are names, not addresses that a browser fetches.
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text


def test_every_link_leads_somewhere_and_no_id_repeats(content: Report) -> None:
    page = Page(report.render(content))
    assert len(page.ids) == len(set(page.ids))
    assert {r[1:] for r in page.references if r.startswith("#")} <= set(page.ids)


def test_all_figures_and_pictures_are_in_the_page(content: Report) -> None:
    text = report.render(content)
    page = Page(text)
    assert page.seen.count("svg") == 6
    # Mean face, two members, an example, the best, the worst of two sources.
    assert page.seen.count("img") == 7
    assert "<h3>Worst faces of mine</h3>" in text
    for name in ("loss", "criterion", "ced", "heads", "places", "error"):
        assert f"title of {name}" in text
        assert f"sentence of {name}" in text
    for label in ("training", "K = 2", "jittered boxes", "kept: epoch 20"):
        assert label in " ".join(page.text)


def test_text_is_escaped(content: Report) -> None:
    text = report.render(content)
    for raw in ("<& more>", "<JPEG>", "<1>", "<open>", "<40>"):
        assert raw not in text
    shown = " ".join(Page(text).text)
    for raw in ("Lips <& more>", "broken <JPEG>", "face_<1>", "state: <open>", "only <40>"):
        assert raw in shown


def test_names_with_markup_are_escaped_wherever_they_come() -> None:
    name = "<b>&\"'</b>"
    text = report.render(
        Report(
            name,
            dataset={name: name},
            splits={name: 1},
            params={name: {name: name}},
            metrics={name: {"base": summary(0.05, 0.8), name: summary(0.05, 0.8) | {"missed": 3}}},
            components=[Component(0, {name: 1}, None, [picture(1)], {name: summary(0.05, 0.8)}, None, name)],
            training=[Chart(name, name, b"<svg viewBox='0 0 1 1'></svg>")],
            examples=[Picture(picture(2), name)],
        )
    )
    assert name not in text
    assert text.count("&lt;b&gt;&amp;&#34;&#39;&lt;/b&gt;") >= 12
    shown = " ".join(Page(text).text)
    assert f"missed: {name} 3" in shown
    assert f"base, test faces, {name} boxes" in shown


@pytest.mark.parametrize("boxes", runs.BOXES)
def test_every_kind_of_boxes_that_a_run_has_is_explained(boxes: str) -> None:
    shown = " ".join(Page(report.render(Report("t", metrics={boxes: {"base": summary(0.05, 0.8)}}))).text)
    assert "box is " in shown or "box of the true landmarks" in shown
    assert "40 test faces" in shown
    assert "none missed" in shown
    assert "base : the network alone." in shown


def rows_of(text: str, heading: str) -> list[str]:
    part = text.split(f"<h3>{heading}</h3>")[1].split("</table>")[0]
    return re.findall(r"<tr>.*?</tr>", part)


def test_the_tables_say_what_the_figures_say(content: Report) -> None:
    text = report.render(content)
    assert text.index("<h3>Jittered boxes</h3>") < text.index("<h3>Exact boxes</h3>")
    jittered = {row.split("</th>")[0].split(">")[-1]: row for row in rows_of(text, "Jittered boxes")[1:]}
    nme = jittered["NME, mean"]
    assert "<td>5.00</td><td><b>4.00</b></td><td>4.50</td>" in nme
    assert 'class="better"' in nme
    assert "\N{MINUS SIGN}1.000" in nme
    # An interval that holds 0 is no gain, whatever the difference.
    lips = next(row for row in rows_of(text, "Jittered boxes") if ">lips<" in row)
    assert "<td>0.800</td><td><b>0.810</b></td><td>0.805</td>" in lips
    assert 'class="same"' in lips
    assert "no clear difference" in lips
    exact = next(row for row in rows_of(text, "Exact boxes") if "NME, mean" in row)
    assert 'class="worse"' in exact
    # Minus base and minus control, in this order, and a place for what has no interval.
    assert nme.index("\N{MINUS SIGN}1.000") < nme.index("\N{MINUS SIGN}0.500")
    assert lips.endswith("<td></td></tr>")
    place = next(row for row in rows_of(text, "Jittered boxes") if ">right<" in row)
    assert "<td><b>+0.50</b></td><td>\N{MINUS SIGN}1.00</td><td>\N{MINUS SIGN}1.00</td>" in place


def test_every_source_is_told_apart(content: Report) -> None:
    text = report.render(content)
    part = text.split("<h2>Every source apart</h2>")[1].split("</section>")[0]
    assert "all &lt;together&gt;, 40 faces" in part
    figures, gains = part.split("<h3>What the heads add</h3>")
    annotated, aligned = re.findall(r"<tr>.*?</tr>", figures.split("helen, 25 faces")[1], re.S)
    lips = "<td>0.800</td><td>0.810</td><td>0.805</td><td>0.500</td>"
    assert lips in annotated
    assert annotated.endswith("<td>\N{MINUS SIGN}1.00</td><td>+0.25</td></tr>")
    assert "aligned" in aligned
    assert "<td>0.900</td>" in aligned
    assert aligned.endswith("<td></td><td></td></tr>")
    annotated, aligned = re.findall(r"<tr>.*?</tr>", gains.split("helen, 25 faces")[1], re.S)
    assert re.findall(r'class="(\w+)"', annotated) == ["same", "worse"]
    assert re.findall(r'class="(\w+)"', aligned) == ["better"]


def test_the_headline_is_the_jittered_cascade(content: Report) -> None:
    head = report.render(content).split("<nav>")[0]
    assert "<b>4.00 %</b><span>NME</span>" in head
    assert "cascade, test faces, jittered boxes" in head
    assert "1.000 percentage points below the base network's 5.00 %" in " ".join(head.split())
    assert "0.500 percentage points below the control's 4.50 %" in " ".join(head.split())


def test_jittered_boxes_come_first_whatever_the_order_of_the_figures() -> None:
    text = report.render(
        Report("t", metrics={"exact": {"base": summary(0.05, 0.8)}, "jittered": {"base": summary(0.07, 0.7)}})
    )
    assert "<b>7.00 %</b><span>NME</span>" in text
    assert "base, test faces, jittered boxes" in text
    assert text.index("<h3>Jittered boxes</h3>") < text.index("<h3>Exact boxes</h3>")


def test_an_empty_report_has_no_empty_sections(tmp_path: Path) -> None:
    text = report.render(Report(title="nothing yet"))
    page = Page(text)
    assert "section" not in page.seen
    assert "table" not in page.seen


def test_missing_figures_leave_gaps_not_nonsense() -> None:
    empty = metrics.summarise(metrics.per_face(np.zeros((0, 56, 2)), np.zeros((0, 56, 2)), np.zeros(0)))
    nothing = {"difference": None, "low": None, "high": None}
    text = report.render(
        Report(
            "t",
            metrics={"exact": {"base": empty, "cascade": empty}},
            intervals={"exact": {"base": {"nme": {"mean": nothing}}}},
        )
    )
    shown = " ".join(Page(text).text).lower()
    assert re.search(r"\b(none|nan|inf)\b(?! missed)", shown) is None


def test_the_page_is_written_whole_or_not_at_all(
    tmp_path: Path, content: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder" / "index.html"
    report.write_report(path, content)
    first = path.read_bytes()
    assert first.decode("utf-8").endswith("</html>\n")
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="disk full"):
        report.write_report(path, Report(title="second"))
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]


def test_a_heavy_page_gets_lighter_pictures(tmp_path: Path, content: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = Report("t", examples=[Picture(picture(i, 200), str(i)) for i in range(4)])
    full = len(report.render(heavy))
    monkeypatch.setattr(report, "_MOST_BYTES", int(0.7 * full))
    report.write_report(tmp_path / "r.html", heavy)
    assert (tmp_path / "r.html").stat().st_size <= 0.7 * full


def test_charts_are_repeatable_and_take_the_page_s_colours(svgs: dict[str, bytes]) -> None:
    again = charts()
    assert again == svgs
    for name, svg in svgs.items():
        text = svg.decode("utf-8")
        assert "currentColor" in text, name
        assert "<style" not in text
        for colour, variable in chart_style.VARIABLES.items():
            assert text.count(colour) == text.count(f"var({variable}, {colour})"), (name, colour)
    text = svgs["criterion"].decode()
    assert "held-out log-likelihood [nats a face]" in text
    assert "BIC (decides)" in text
    heads = svgs["heads"].decode()
    for label in ("no validation faces", ">control<", ">components<", ">strength of the pull<"):
        assert label in heads
