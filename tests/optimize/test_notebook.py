"""How a sweep shows itself in a notebook."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_results import made

from main.wording import unbroken
from optimize.notebook import MOST_ROWS, in_notebook, progress_console, sweep_html
from optimize.results import Results
from optimize.sweep import SweepResult
from optimize.verdict import read_verdict


def result_of(results: Results) -> SweepResult:
    return SweepResult("done", 0, results, read_verdict(results), exported=False)


class Reading(HTMLParser):
    """The text and the tags of a page; every tag that is opened must be closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_sentence_stands_over_the_choices_best_first_with_mean_and_interval(tmp_path: Path) -> None:
    result = result_of(made(tmp_path, "pooling"))
    assert result.verdict is not None
    read = Reading(result._repr_html_())
    assert read.words[0] == unbroken(result.verdict.sentence)
    places = [read.words.index(choice.choice) for choice in result.verdict.choices]
    assert places == sorted(places)
    best = result.verdict.choices[0]
    seeds, mean, interval = read.words[places[0] + 1 : places[0] + 4]
    assert seeds == "5"
    assert float(mean.removesuffix("\N{NO-BREAK SPACE}%")) == pytest.approx(100 * best.mean, abs=0.05)
    assert re.fullmatch("[0-9.]+\N{NO-BREAK SPACE}% to [0-9.]+\N{NO-BREAK SPACE}%", interval)


def test_what_a_person_wrote_is_never_markup(tmp_path: Path) -> None:
    result = result_of(made(tmp_path, "pooling"))
    verdict = result.verdict
    assert verdict is not None
    hostile = "<script>alert('1')</script> & \"x\""
    choices = (replace(verdict.choices[0], choice=hostile), *verdict.choices[1:])
    shown = sweep_html(result.results, replace(verdict, choices=choices, sentence=hostile, warnings=(hostile,)))
    assert "<script" not in shown
    read = Reading(shown)
    assert read.words.count(hostile) == 3
    assert set(read.tags) <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}


def test_a_factor_s_choices_are_shown_at_their_best(tmp_path: Path) -> None:
    results = made(tmp_path, "joint", study={"sampler": "random", "trials": 60, "compare": "model.pooling"})
    result = result_of(results)
    assert result.verdict is not None
    assert result.verdict.factor is not None
    read = Reading(result._repr_html_())
    for word in ("model.pooling", "configurations", f"best of {result.verdict.factor.budget}", "max", "average"):
        assert word in read.words


def test_of_many_choices_the_best_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    result = result_of(made(tmp_path, "joint", study={"sampler": "random", "trials": 40, "confirm": None}))
    assert result.verdict is not None
    left_out = len(result.verdict.choices) - MOST_ROWS
    assert left_out > 0
    read = Reading(result._repr_html_())
    assert read.tags.count("tr") == MOST_ROWS + 1
    assert any(f"{left_out} more choices in" in words for words in read.words)


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    result = result_of(made(tmp_path, "pooling", study={"seeds": 1}))
    assert result.verdict is not None
    read = Reading(result._repr_html_())
    assert not any(" to " in words and "%" in words for words in read.words[5:15])


def test_a_sweep_without_a_usable_trial_says_so(tmp_path: Path) -> None:
    result = result_of(made(tmp_path, "pooling", failed=1.0))
    assert result.verdict is None
    assert Reading(result._repr_html_()).words == ["There is no verdict: no trial is complete."]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as a Jupyter kernel sets it up."""
    shell: Any = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-color")


@pytest.mark.usefixtures("kernel")
def test_progress_in_a_notebook_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_notebook()
    console = progress_console()
    assert not console.is_terminal
    assert not console.is_jupyter
    console.print("trial 0", style="bold red")
    assert capsys.readouterr().out == "trial 0\n"


def test_elsewhere_the_console_is_the_terminal_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))  # imported, and no shell
    assert not in_notebook()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert progress_console().is_terminal
