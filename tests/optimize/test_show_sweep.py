"""`optimize show`: the best trials of a sweep."""

import io
from dataclasses import replace
from pathlib import Path

import fake_results
import pytest
from rich.console import Console

from optimize.show import print_sweep, sweep_summary
from optimize.summary import summarise
from optimize.sweep import SweepResult
from optimize.verdict import read_verdict
from optimize.wording import value_text


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_values_are_those_of_the_verdict_and_small_losses_are_told_apart(tmp_path: Path, metric: str) -> None:
    results = fake_results.made(
        tmp_path, "pooling", study={"seeds": 1, "metric": metric}, accuracy=lambda values, rng: 0.9999, noise=0.0
    )
    verdict, text = read_verdict(results), io.StringIO()
    assert verdict is not None
    print_sweep(results, Console(file=text, width=120, color_system=None))
    values = [value_text(metric, choice.mean) for choice in verdict.choices]
    assert all(value in text.getvalue() for value in values)
    assert metric == "val_accuracy" or len(set(values)) == 4


@pytest.mark.parametrize(("ended", "said"), [(1, "1 of 4 trials has ended, but"), (2, "2 of 4 trials have ended, but")])
def test_a_sweep_that_has_not_ended_says_how_many_trials_have(tmp_path: Path, ended: int, said: str) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    results.write_json(results.provenance_file, {**results.provenance(), "ended": None})
    lines = results.trials_file.read_text().splitlines(keepends=True)
    results.trials_file.write_text("".join(lines[: 1 + ended]))
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    assert said in text.getvalue()


@pytest.mark.parametrize(("ended", "planned"), [("2026-01-01T00:00:00+00:00", 17), (None, 20)])
def test_a_race_plans_at_most_what_a_grid_would_and_ends_with_what_it_ran(
    tmp_path: Path, ended: str | None, planned: int
) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 5, "race": True})
    results.write_json(results.provenance_file, {**results.provenance(), "ended": ended})
    lines = results.trials_file.read_text().splitlines(keepends=True)
    results.trials_file.write_text("".join(lines[:18]))  # a choice was dropped after two seeds
    assert sweep_summary(results)["planned"] == planned
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    assert ("17 of at most 20 trials have ended" in text.getvalue()) is (ended is None)


def test_a_run_that_exported_nothing_says_where_to_look_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    summarise(SweepResult("done", 4, results, read_verdict(results), exported=False))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("model", "next"))]
    assert said == [f"next     python -m optimize show {results.folder}"]


def test_what_a_verdict_warns_of_is_said_before_its_sentence_by_run_and_by_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    verdict = read_verdict(results)
    assert verdict is not None
    verdict = replace(verdict, warnings=("Nothing was learned.",))
    results.write_json(results.verdict_file, verdict.to_dict())
    summarise(SweepResult("done", 4, results, verdict, exported=False))
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    for said in (capsys.readouterr().out, text.getvalue()):
        assert said.splitlines()[-2:] == ["warning: Nothing was learned.", verdict.sentence]


def test_a_sweep_whose_model_is_gone_says_how_it_is_made_anew(tmp_path: Path) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    results.write_json(results.provenance_file, {**results.provenance(), "ended": "2026-01-01T00:00:00+00:00"})
    results.model_file.unlink(missing_ok=True)
    results.card_file.unlink(missing_ok=True)
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    assert f"no model is kept; python -m optimize export {results.folder} makes it anew" in text.getvalue()


def test_trials_of_the_search_are_told_from_those_of_the_confirmation(tmp_path: Path) -> None:
    text = io.StringIO()
    print_sweep(fake_results.made(tmp_path, "joint"), Console(file=text, width=160, color_system=None))
    heading, *rows = [line.split() for line in text.getvalue().splitlines()[2:]]
    assert heading[:3] == ["trial", "purpose", "configuration"]
    told = [row[1] for row in rows if row[0].isdigit()]
    assert {"search", "confirm"} == set(told)
    text = io.StringIO()
    print_sweep(fake_results.made(tmp_path, "pooling"), Console(file=text, width=160, color_system=None))
    assert "purpose" not in text.getvalue()


def test_what_a_factor_s_verdict_warns_of_is_said_by_run_and_by_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = {"sampler": "random", "trials": 30, "compare": "model.pooling"}
    results = fake_results.made(tmp_path, "joint", study=study, pruned=0.0)
    verdict = read_verdict(results)
    assert verdict is not None
    assert verdict.factor is not None
    assert verdict.factor.warnings
    summarise(SweepResult("done", 4, results, verdict, exported=False))
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    for said in (capsys.readouterr().out, text.getvalue()):
        assert all(f"warning: {warning}" in said.splitlines() for warning in verdict.factor.warnings)


def test_a_lucky_export_is_warned_of_by_run_and_by_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    metrics = {"val_accuracy": {"value": 0.99, "mean": 0.97, "low": 0.969, "high": 0.971, "n": 5}}
    test = {"accuracy": 0.98, "low": 0.97, "high": 0.99, "n": 10_000}
    card = {"configuration": "max", "trial": 0, "seed": 0, "epoch": 1, "test": test, "metrics": metrics}
    results.write_json(results.card_file, card)
    results.model_file.write_bytes(b"")
    summarise(SweepResult("done", 4, results, read_verdict(results), exported=True))
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    for said in (capsys.readouterr().out, text.getvalue()):
        assert said.splitlines()[-2].startswith("warning: The exported training's val_accuracy, 99.00 %, is far above")
