"""Charts as files: which are drawn, what stands on them, and that it can be read."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fake_results
import pytest
from chart_texts import faults
from fake_results import HOSTILE, NOTICE
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from PIL import Image

from main.errors import UserError
from optimize import charts
from optimize.charts.catalog import CATALOG
from optimize.charts.evidence import Evidence, read_evidence
from optimize.charts.making import own_texts, words_of
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.page import Page, Words, drawing_rules
from optimize.results import Results
from optimize.tables import MissingFile

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
SEARCH_ONLY = {"importances", "marginal_effects", "effects", "contour", "rank", "parallel_coordinates"}

Make = Callable[..., Results]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a made-up sweep's folder, once."""
    kept: dict[str, Results] = {}

    def of(name: str) -> Results:
        if name not in kept:
            kept[name] = fake_results.made(tmp_path_factory.mktemp("sweep"), name)
        return kept[name]

    return of


def finished(evidence: Evidence, *, framed: bool) -> Iterator[tuple[str, Page]]:
    """Every chart that makes sense, drawn and finished, with matplotlib still under our rules."""
    for name, chart in CATALOG.items():
        try:
            numbers = chart.compute(evidence)
        except NotForThisSweep:
            continue
        with drawing_rules(own_texts(evidence)):
            page = Page(words_of(numbers, evidence) if framed else None)
            chart.draw(numbers, page)
            page.render("svg")
            yield name, page


def test_names_are_those_of_the_catalog() -> None:
    assert set(charts.NAMES) == set(CATALOG)
    assert list(charts.NAMES) == list(CATALOG)


def test_a_grid_of_one_parameter_gets_its_charts_and_reasons_for_the_rest(folder: Make) -> None:
    results = folder("pooling")
    drawn = charts.draw(results)
    assert {path.stem for path in drawn} | set(drawn.skipped) == set(charts.NAMES)
    assert set(drawn.skipped) == {*SEARCH_ONLY, "slice"}
    assert all(path.parent == results.charts and path.read_bytes().startswith(SIGNATURES["png"]) for path in drawn)
    assert not list(results.charts.glob(".*")), "nothing half-written is left"


def test_a_search_gets_every_chart(folder: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = charts.draw(folder("joint"))
    assert [path.stem for path in drawn] == list(charts.NAMES)
    assert drawn.skipped == {}


@pytest.mark.parametrize("format", charts.FORMATS)
def test_formats(folder: Make, format: str) -> None:  # noqa: A002
    (path,) = charts.draw(folder("pooling"), only=["choices"], format=format)
    assert path.name == f"choices.{format}"
    assert path.read_bytes().startswith(SIGNATURES[format])


def test_the_same_sweep_gives_the_same_files(folder: Make) -> None:
    results = folder("cube")
    for kind in ("png", "svg"):
        first, second = (
            [path.read_bytes() for path in charts.draw(results, only=["rank", "slice"], format=kind)] for _ in range(2)
        )
        assert first == second


def test_a_style_may_name_the_resolution_and_not_the_layout(folder: Make, tmp_path: Path) -> None:
    style = tmp_path / "own.mplstyle"
    style.write_text("savefig.dpi: figure\nfigure.dpi: 50\nfigure.autolayout: True\n")
    (path,) = charts.draw(folder("pooling"), only=["choices"], style=str(style))
    assert int.from_bytes(path.read_bytes()[16:20], "big") == 6.4 * 50  # the width in a PNG's header


def test_a_style_changes_the_picture(folder: Make) -> None:
    results = folder("pooling")
    corners = []
    for style in (None, "dark_background"):
        (path,) = charts.draw(results, only=["history"], style=style)
        with Image.open(path) as picture:
            corners.append(picture.convert("RGB").getpixel((2, 2)))
    assert corners == [(255, 255, 255), (0, 0, 0)]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"only": ["choice"]}, "learning_curves"), ({"format": "jpg"}, "svg"), ({"style": "nowhere"}, "nowhere")],
)
def test_what_is_not_known_is_refused_with_what_is(folder: Make, wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        charts.draw(folder("pooling"), **wrong)  # type: ignore[arg-type]


def test_a_chart_that_no_longer_makes_sense_is_removed(folder: Make) -> None:
    results = folder("pooling")
    results.charts.mkdir(exist_ok=True)
    stale = results.charts / "contour.png"
    stale.write_bytes(b"of another day")
    charts.draw(results, only=["contour"])
    assert not stale.exists()


@pytest.mark.parametrize("name", ["learning_rate", "cube", "hostile"])
def test_a_title_is_drawn_as_it_was_written_and_nothing_warns(folder: Make, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        charts.draw(folder(name))


def test_title_subtitle_and_notice_stand_on_the_page(folder: Make) -> None:
    evidence = read_evidence(folder("hostile"))
    numbers = CATALOG["choices"].compute(evidence)
    with drawing_rules(own_texts(evidence)):
        page = Page(words_of(numbers, evidence))
        CATALOG["choices"].draw(numbers, page)
        written = "".join("".join(text.get_text() for text in page.figure.texts).split())
    for words in (HOSTILE, numbers.says, numbers.caption, NOTICE):
        assert "".join(words.split()) in written


@pytest.mark.parametrize(
    ("name", "framed"), [("joint", True), ("joint", False), ("cube", False), ("learning_rate", True), ("hostile", True)]
)
def test_no_text_meets_another_or_leaves_the_page(folder: Make, name: str, framed: bool) -> None:
    found = {chart: faults(page.figure) for chart, page in finished(read_evidence(folder(name)), framed=framed)}
    assert {chart: wrong for chart, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("framed", [True, False])
def test_the_names_of_many_parameters_stay_on_the_page(tmp_path: Path, framed: bool) -> None:
    four = {
        "model.dropout": {"choices": [0.125, 0.375]}, "model.kernel_size": {"choices": [3, 5]},
        "train.learning_rate": {"choices": [0.00125, 0.0025]}, "train.batch_size": {"choices": [128]},
    }  # fmt: skip
    results = fake_results.made(tmp_path, "pooling", swept=four, accuracy=lambda values, rng: 0.97)
    drawn = finished(read_evidence(results), framed=framed)
    assert next(faults(page.figure) for name, page in drawn if name == "choices") == []


def test_every_one_of_equal_seeds_is_seen(folder: Make) -> None:
    evidence = read_evidence(folder("pooling"))
    assert evidence.verdict is not None
    alike = tuple(replace(c, values=dict.fromkeys(c.values, c.mean)) for c in evidence.verdict.choices)
    assert "Below one another: equal ones." not in CATALOG["choices"].compute(evidence).caption
    numbers = CATALOG["choices"].compute(replace(evidence, verdict=replace(evidence.verdict, choices=alike)))
    assert "Below one another: equal ones." in numbers.caption
    with drawing_rules([]):
        page = Page()
        CATALOG["choices"].draw(numbers, page)
        page.settle()
        (ax,) = page.figure.axes
        marks = [line for line in ax.lines if line.get_markersize() == 5]
        places = {tuple(p) for m in marks for p in m.get_transform().transform(m.get_xydata()).round(2).tolist()}
    assert len(places) == sum(choice.n for choice in alike) == 20


def test_a_line_per_trial_ends_in_the_mark_that_the_legend_has(folder: Make) -> None:
    evidence = read_evidence(folder("pooling"))
    with drawing_rules([]):
        page = Page()
        CATALOG["intermediate_values"].draw(CATALOG["intermediate_values"].compute(evidence), page)
    (legend,) = page.figure.legends
    in_legend = {handle.get_marker() for handle in legend.legend_handles if isinstance(handle, Line2D)}
    assert in_legend == {choice.look.marker for choice in evidence.choices}
    marks = [line for line in page.figure.axes[0].lines if line.get_marker() in in_legend]
    assert sum(len(line.get_xydata()) for line in marks) == len(evidence.searched)


def test_texts_that_meet_would_be_seen() -> None:
    with drawing_rules([]):
        page = Page(Words("A title", "what it says", "a caption"))
        (ax,) = page.axes()
        ax.text(0.5, 0.5, "one")
        ax.text(0.5, 0.5, "other")
        page.figure.text(1.2, 0.5, "far out", in_layout=False)
        page.render("png")
    assert faults(page.figure) == ["'far out' leaves the page", "'one' meets 'other'"]


def test_a_choice_has_the_same_colour_in_every_chart(folder: Make) -> None:
    evidence = read_evidence(folder("pooling"))
    own = {choice.look.colour for choice in evidence.choices}
    for name, page in finished(evidence, framed=True):
        if name == "differences":  # shows the better of each pair alone
            continue
        used = {to_hex(c) for ax in page.figure.axes for c in _face_colours(ax)}
        assert own <= used, name


def test_drawing_imports_neither_tensorflow_nor_the_state_of_pyplot(folder: Make) -> None:
    code = (
        "import sys; from optimize import charts, report; from optimize.results import Results\n"
        "assert not {'matplotlib', 'pandas', 'scipy', 'optuna'} & set(sys.modules)\n"
        "results = Results(sys.argv[1]); charts.draw(results); report.write(results)\n"
        "assert not {'tensorflow', 'keras', 'torch', 'matplotlib.pyplot', 'distributed'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder("cube").folder)], check=True)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    results = fake_results.made(tmp_path, "pooling")
    results.trials_file.unlink()
    with pytest.raises(MissingFile, match=r"trials\.csv is missing; run the sweep again"):
        charts.draw(results)


def _face_colours(ax: object) -> list[object]:
    lines = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() != "None"]  # type: ignore[attr-defined]
    lines += [line.get_color() for line in ax.lines]  # type: ignore[attr-defined]
    patches = [c for group in ax.collections for c in (*group.get_facecolor(), *group.get_edgecolor())]  # type: ignore[attr-defined]
    return [colour for colour in (*lines, *patches) if not isinstance(colour, str) or colour != "none"]
