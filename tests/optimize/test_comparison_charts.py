"""Charts of several sweeps: their numbers first, then files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_results
import numpy as np
import pytest
from chart_texts import faults
from fake_results import FAKES
from typer.testing import CliRunner

from main.errors import UserError
from optimize.charts.comparison import CATALOG, draw_comparison
from optimize.charts.drawing.comparison import draw_courses
from optimize.charts.drawing.rows import row_axes
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.numbers.comparison import MOST_OF_A_SWEEP, rank_courses, regret_courses, sweep_choices
from optimize.charts.page import Page, Words, drawing_rules
from optimize.charts.units import Metric
from optimize.cli import app
from optimize.compare import Comparison, compare


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds three sweeps: `pooling`, `again` (the same, noisier) and `joint`."""
    parent = tmp_path_factory.mktemp("sweeps")
    fake_results.made(parent, "pooling")
    fake_results.made(parent, "joint")
    fake_results.make(parent, replace(FAKES["pooling"], name="again", noise=0.003))
    return parent


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return compare([fake_results.Results(folder / name) for name in ("pooling", "again", "joint")])


def test_each_sweeps_choices_are_those_of_its_verdict(comparison: Comparison) -> None:
    numbers = sweep_choices(comparison)
    assert [rows.sweep.label for rows in numbers.sweeps] == [sweep.name for sweep in comparison.sweeps]
    for rows, summary in zip(numbers.sweeps, comparison.sweeps, strict=True):
        assert rows.choices[0] == summary.winner
        assert rows.choices == summary.choices[:MOST_OF_A_SWEEP]
    assert comparison.verdict is not None
    assert numbers.says == comparison.verdict.sentence
    assert numbers.caption.startswith("Small marks: every seed.")


def test_a_course_ends_where_its_sweep_does(comparison: Comparison) -> None:
    numbers = regret_courses(comparison)
    ended = {course.sweep.label: course.ended for course in numbers.over_trials}
    assert ended == {"pooling": 20, "again": 20, "joint": 100}
    assert min(float(course.values[-1]) for course in numbers.over_trials) == 0
    assert all((course.values[1:] <= course.values[:-1]).all() for course in numbers.over_trials), "regret never grows"
    by_name = {sweep.name: sweep.seconds for sweep in comparison.sweeps}
    pooling = next(course for course in numbers.over_seconds if course.sweep.label == "pooling")
    assert pooling.ended == pytest.approx(by_name["pooling"])


def test_ranks_are_those_of_the_comparison(comparison: Comparison) -> None:
    last = {course.sweep.label: course.values[-1] for course in rank_courses(comparison).over_trials}
    assert last == comparison.ranks().iloc[-1].to_dict()


def test_a_heading_stands_close_to_what_it_heads_where_names_are_long() -> None:
    names = ["a sweep", "a choice of it whose name is long", "another such choice", "other sweep", "a choice of that"]
    with drawing_rules([]):
        page = Page()
        ax = row_axes(page, names, headings=[0, 3])
        page.settle()
        tops = [text.get_window_extent().y1 for text in ax.texts]
        bottoms = [text.get_window_extent().y0 for text in ax.texts]
    line = max(top - bottom for top, bottom in zip(tops[:2], bottoms[:2], strict=True))
    assert 0 < bottoms[0] - tops[1] < 1.2 * line + 0.1 * page.figure.dpi
    assert ax.get_window_extent().y1 - tops[0] < line
    assert all(below > 0 for below in (bottoms[i] - tops[i + 1] for i in range(len(names) - 1)))


def test_nothing_complete_is_no_chart(comparison: Comparison) -> None:
    empty = replace(
        comparison,
        sweeps=tuple(replace(sweep, choices=(), winner=None) for sweep in comparison.sweeps),
        progress=comparison.progress.assign(best=float("nan"), regret=float("nan")),
    )
    for compute in (sweep_choices, regret_courses, rank_courses):
        with pytest.raises(NotForThisSweep, match="no trial is complete"):
            compute(empty)


def test_every_chart_is_legible(comparison: Comparison) -> None:
    for chart in CATALOG.values():
        numbers = chart.compute(comparison)
        with drawing_rules([]):
            page = Page(Words(chart.heading.format("all"), numbers.says, numbers.caption))
            chart.draw(numbers, page)
            page.render("svg")
            assert faults(page.figure) == []


def test_regrets_of_any_size_have_ticks(comparison: Comparison) -> None:
    numbers = regret_courses(comparison)
    over_trials, over_seconds = (
        tuple(course._replace(values=np.geomspace(4e-7, 5e-9, len(course.at))) for course in courses)
        for courses in (numbers.over_trials, numbers.over_seconds)
    )
    metric = Metric("val_crossentropy", maximize=False)
    with drawing_rules([]):
        page = Page()
        draw_courses(numbers._replace(metric=metric, over_trials=over_trials, over_seconds=over_seconds), page)
        page.render("svg")
        above = page.figure.axes[0]
        assert above.get_yscale() == "asinh"
        assert sum(0 < tick <= 4e-7 for tick in above.get_yticks()) >= 3
        assert faults(page.figure) == []


def test_compare_writes_charts_beside_the_sweeps(folder: Path) -> None:
    answer = CliRunner().invoke(app, ["compare", str(folder / "pooling"), str(folder / "again"), "--format", "svg"])
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in (folder / "comparison").iterdir()) == sorted(f"{name}.svg" for name in CATALOG)
    assert "Winner against winner" in answer.stdout


def test_charts_go_where_they_are_wanted_in_the_wanted_style(comparison: Comparison, tmp_path: Path) -> None:
    drawn = draw_comparison(comparison, tmp_path / "new", "pdf", "dark_background")
    assert [path.stem for path in drawn] == list(CATALOG)
    assert all(path.read_bytes().startswith(b"%PDF") for path in drawn)
    with pytest.raises(UserError, match="charts are written as png, svg, pdf"):
        draw_comparison(comparison, tmp_path, "gif")


@pytest.mark.parametrize("arguments", [["--format", "gif"], ["--style", "nosuch"]])
@pytest.mark.parametrize("command", ["plot", "compare"])
def test_a_bad_request_ends_before_anything_is_read(
    folder: Path, command: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimize.results.Results.trials", lambda _: pytest.fail("a table was read"))
    answer = CliRunner().invoke(app, [command, str(folder / "pooling"), str(folder / "again"), *arguments])
    assert answer.exit_code == 2
    assert arguments[1] in answer.output


def test_plot_says_what_it_did_not_draw_and_why(folder: Path) -> None:
    answer = CliRunner().invoke(app, ["plot", str(folder / "pooling"), "--only", "importances"])
    assert answer.exit_code == 1
    assert "importances is not drawn: " in answer.stderr
    answer = CliRunner().invoke(app, ["plot", str(folder / "pooling"), "--only", "contour", "--only", "choices"])
    assert answer.exit_code == 0
    assert "contour is not drawn: " in answer.stderr


def test_one_sweep_says_what_compare_needs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.results.Results.trials", lambda _: pytest.fail("a table was read"))
    answer = CliRunner().invoke(app, ["compare", str(folder / "pooling")])
    assert answer.exit_code == 2
    assert "two different sweeps at least" in answer.output


def test_every_folder_of_a_study_can_be_named(tmp_path: Path) -> None:
    """As `results/study/*` does: what earlier comparisons drew, and range tests, stand beside the sweeps."""
    for name in ("pooling", "joint", "rates"):
        fake_results.make(tmp_path, replace(FAKES["joint" if name == "joint" else "pooling"], name=name))
    (tmp_path / "rates" / "trials.csv").rename(tmp_path / "rates" / "rates.csv")
    for _ in range(2):
        answer = CliRunner().invoke(app, ["compare", *map(str, sorted(tmp_path.iterdir()))])
        assert answer.exit_code == 0, answer.output
        assert "rates is left out: a range test" in answer.output.replace("\n", " ")
        assert (tmp_path / "comparison" / "compared_choices.png").exists()
