"""A sweep is judged as its file asks for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from trial_tables import row

from main.history import Epoch
from optimize.config import SweepConfig, load_config
from optimize.finished import Finished
from optimize.proposals import ConfirmProposals, Elimination
from optimize.statistics import judge_sweep
from optimize.trial import TrialOutcome
from optimize.verdict import Verdict

SWEEP = """
name: sweep
data: {source: digits}
model:
  network: cnn
  pooling: {choices: [max, average]}
train:
  learning_rate: {choices: [1e-4, 1e-3, 1e-2, 1e-1, 1.0]}
study: {%s}
"""


def sweep_config(tmp_path: Path, study: str) -> SweepConfig:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP % study)
    return load_config(path)


def tuned(seeds: int = 1, purpose: str = "search", first_seed: int = 0) -> pd.DataFrame:
    """Accuracies that rise with the learning rate, and more so with max pooling."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        row(
            f"pooling={pooling} learning_rate={rate}", seed, 0.9 + lead + i / 500 + rng.normal(0, 1e-4), purpose=purpose
        )
        | {"model.pooling": pooling, "train.learning_rate": rate}
        for seed in range(first_seed, first_seed + seeds)
        for pooling, lead in (("max", 0.02), ("average", 0.0))
        for i, rate in enumerate((0.0001, 0.001, 0.01, 0.1, 1.0))
    )


def test_a_sweep_is_judged_with_its_baseline_and_doubts(tmp_path: Path) -> None:
    baseline = "baseline: {model.pooling: max, train.learning_rate: 1.0}"
    found = judge_sweep(tuned(seeds=3), sweep_config(tmp_path, baseline), validation_images=237)
    assert found.winner == "pooling=max learning_rate=1.0"
    assert found.values == {"model.pooling": "max", "train.learning_rate": 1.0}
    assert found.warnings[0] == f"Nothing that was compared ranks above the baseline, {found.winner}."
    assert found.warnings[1].startswith(
        f"The best two, {found.winner} and pooling=max learning_rate=0.1, differ by 0.47"
    )
    assert found.warnings[2].startswith("train.learning_rate: the best value, 1.0, lies on the upper edge")
    assert found.factor is None


def test_a_baseline_of_which_no_trial_is_complete_is_said(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, "baseline: {model.pooling: max, train.learning_rate: 1.0}")
    trials = tuned(seeds=3)
    of_baseline = trials["configuration"] == "pooling=max learning_rate=1.0"
    said = "The baseline, pooling=max learning_rate=1.0, is not compared: no trial of it is complete."
    assert said in judge_sweep(trials[~of_baseline], config).warnings
    assert said not in judge_sweep(trials, config).warnings


def test_choices_that_left_a_race_are_said_with_what_that_spared(tmp_path: Path) -> None:
    eliminations = (Elimination("a", "c", "3 seeds", 5), Elimination("b", "c", "4 seeds", 4))
    found = judge_sweep(tuned(seeds=3), sweep_config(tmp_path, "seeds: 8, race: true"), eliminations=eliminations)
    assert "Out of the race, beaten by its leader: a after 3 seeds and b after 4 seeds. That spared 9 trainings." in (
        found.warnings
    )


def test_a_factor_is_judged_by_its_best_tuned_choices(tmp_path: Path) -> None:
    found = judge_sweep(tuned(), sweep_config(tmp_path, "compare: model.pooling"))
    assert found.factor is not None
    assert (found.factor.winner, found.factor.decided, found.decided) == ("max", True, True)
    assert found.sentence == found.factor.sentence
    assert found.winner == "pooling=max learning_rate=1.0"
    assert Verdict.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_factors_sentence_keeps_search_and_confirmation_apart(tmp_path: Path) -> None:
    finalists = tuned(seeds=5, purpose="confirm", first_seed=1)
    finalists = finalists[finalists["configuration"].str.contains("=1.0$|=0.1$")]
    found = judge_sweep(
        pd.concat([tuned(), finalists], ignore_index=True), sweep_config(tmp_path, "compare: model.pooling")
    )
    assert found.factor is not None
    assert found.purpose == "confirm"
    search, confirmation = found.sentence.split(" Among the finalists: ")
    assert search == found.factor.sentence
    assert confirmation.startswith("pooling=max learning_rate=1.0 beats pooling=max learning_rate=0.1 by 0.196")
    seeds = [said for said in found.conditions if " seed" in said]
    assert seeds == [
        "Said of 1 seed (0), taken as a sample of all seeds.",
        "Among the finalists: said of 5 seeds (1, 2, 3, 4 and 5), taken as a sample of all seeds.",
    ]


def test_a_factor_says_which_configurations_kept_only_the_seeds_that_went_well(tmp_path: Path) -> None:
    search = tuned(seeds=5)
    cut = (search["configuration"] == "pooling=max learning_rate=0.1") & (search["seed"] > 0)
    search.loc[cut, "state"] = "pruned"
    finalists = tuned(seeds=2, purpose="confirm", first_seed=5)
    study = "compare: model.pooling, pruner: median, confirm: {top: 2, seeds: 2}"
    found = judge_sweep(pd.concat([search, finalists], ignore_index=True), sweep_config(tmp_path, study))
    assert found.factor is not None
    assert any(
        said.startswith("Only some seeds survived the pruner: pooling=max learning_rate=0.1 (1 of 5).")
        for said in found.factor.warnings
    )


def test_a_factors_choices_are_named_as_the_file_has_them(tmp_path: Path) -> None:
    """A column of 0 and 0.25 is read as floats."""
    path = tmp_path / "sweep.yaml"
    path.write_text(
        SWEEP.replace("pooling: {choices: [max, average]}", "dropout: {choices: [0, 0.25]}")
        % ("compare: model.dropout")
    )
    trials = tuned().replace({"model.pooling": {"max": "0", "average": "0.25"}})
    trials = trials.rename(columns={"model.pooling": "model.dropout"}).astype({"model.dropout": float})
    found = judge_sweep(trials, load_config(path))
    assert found.factor is not None
    assert [choice.choice for choice in found.factor.choices] == ["0", "0.25"]


def test_a_factor_without_a_complete_trial_has_no_verdict(tmp_path: Path) -> None:
    trials = tuned().assign(state="failed")
    found = judge_sweep(trials, sweep_config(tmp_path, "compare: model.pooling"))
    assert (found.factor, found.winner) == (None, None)
    assert found.sentence == "There is no verdict: no trial is complete."


def test_a_step_of_one_image_between_configurations_is_said_of_finalists_and_not_of_a_factor(tmp_path: Path) -> None:
    search, config = tuned(), sweep_config(tmp_path, "compare: model.pooling, seeds: 1")
    assert not any("validation images" in said for said in judge_sweep(search, config, validation_images=50).warnings)
    finalists = search.head(2)
    rows = [finalists.assign(purpose="confirm", seed=seed, val_accuracy=[0.9 + seed / 1000, 0.9]) for seed in (1, 2, 3)]
    found = judge_sweep(pd.concat([search, *rows], ignore_index=True), config, validation_images=50)
    (said,) = (said for said in found.warnings if "validation images" in said)
    assert said.startswith("Among the finalists: the best two, ")


# Folds


def test_a_factor_over_folds_is_judged_on_these_folds(tmp_path: Path) -> None:
    trials = tuned(seeds=3).rename(columns={"seed": "fold"}).assign(seed=0)
    found = judge_sweep(trials, sweep_config(tmp_path, "compare: model.pooling, folds: 3"))
    assert found.factor is not None
    assert found.sentence == found.factor.sentence
    assert found.sentence.endswith(" of its 5 configurations, on these folds of the images.")


def test_finalists_are_confirmed_and_paired_on_every_fold_of_each_fresh_seed(tmp_path: Path) -> None:
    study = "folds: 3, pruner: median, confirm: {top: 2, seeds: 2}"
    config = sweep_config(tmp_path, study)
    search = tuned(seeds=3).rename(columns={"seed": "fold"}).assign(seed=0)
    confirmation = ConfirmProposals(config, map(finished, search.to_dict("records")))
    rng = np.random.default_rng(0)
    rows = []
    while (proposal := confirmation.next()) is not None:
        values = dict(proposal.values or {})
        accuracy = 0.9 + 0.05 * (values["train.learning_rate"] == 1.0) + rng.normal(0, 1e-3)
        label = config.space.configuration_label(values)
        rows.append(row(label, proposal.seed, accuracy, purpose="confirm", fold=proposal.fold) | values)
    found = judge_sweep(pd.concat([search, pd.DataFrame(rows)], ignore_index=True), config, validation_images=479)
    assert (found.purpose, found.winner) == ("confirm", "pooling=max learning_rate=1.0")
    assert [choice.n for choice in found.choices] == [6, 6]
    assert found.pairs[0].n == 6
    assert ", 6 folds), on these folds of the images." in found.sentence
    assert "3 stratified folds of 479 images each, drawn anew for each of 2 seeds" in found.conditions[0]


def finished(trial: dict[str, Any]) -> Finished:
    """A row of the search as the proposals hear of it."""
    accuracy, values = trial["val_accuracy"], {path: trial[path] for path in ("model.pooling", "train.learning_rate")}
    epoch = Epoch(1, 0.1, 0.9, 0.1, accuracy, 0.1, 1e-3, 1.0)
    outcome = TrialOutcome(0, "complete", history=(epoch,), best_epoch=1)
    return Finished(values, trial["configuration"], trial["seed"], "search", outcome, trial["fold"])
