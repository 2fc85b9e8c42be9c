import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats
from trial_tables import grid, noisy, row

from optimize.charts.numbers.comparison import sweep_choices
from optimize.compare import Comparison, IncomparableSweeps, compare
from optimize.comparison_table import print_comparison
from optimize.config import load_config
from optimize.results import Results

POOLING = {"max": 0.98, "average": 0.96}
PROVENANCE: dict[str, Any] = {
    "data": {"source": "digits", "checksum": "ab" * 32, "notice": None, "train": 1200, "validation": 237},
    "precision": "float32",
    "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
}
Maker = Callable[..., Results]


@pytest.fixture
def stored(tmp_path: Path) -> Maker:
    """Writes a sweep's folder."""

    def write(
        name: str,
        trials: pd.DataFrame,
        *,
        swept: str = "model: {network: cnn, pooling: {choices: [max, average, blur]}}",
        train: str = "epochs: 3",
        study: str = "metric: val_accuracy",
        folder: str = "results",
        **provenance: Any,
    ) -> Results:
        results = Results(tmp_path / folder / name)
        results.folder.mkdir(parents=True)
        written = f"name: {name}\nquestion: Which?\ndata: {{source: digits}}\n{swept}\n"
        results.write_sweep(f"{written}train: {{{train}}}\nstudy: {{{study}}}\n")
        results.write_sweep(load_config(results.sweep_file).resolved())
        results.write_json(results.provenance_file, PROVENANCE | provenance)
        ended = pd.Timestamp("2026-03-04T09:30Z") + pd.to_timedelta(np.arange(1, len(trials) + 1), unit="min")
        trials = trials.assign(trial=range(len(trials)), seconds=60.0, ended=[moment.isoformat() for moment in ended])
        trials.to_csv(results.trials_file, index=False)
        return results

    return write


def shown(comparison: Comparison, width: int = 160) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_comparison(comparison, console)
    return console.export_text()


def test_what_a_sweep_cost_is_not_broken_where_the_terminal_is_narrow(stored: Maker) -> None:
    comparison = compare([stored("a", noisy(POOLING)), stored("b", noisy(POOLING))])
    costs = [line for line in shown(comparison, width=40).splitlines() if "regret" in line]
    assert len(costs) == 2
    assert all(line.endswith(" of training") for line in costs)


# What is refused


def test_one_sweep_is_nothing_to_compare(stored: Maker) -> None:
    with pytest.raises(IncomparableSweeps, match="two different sweeps at least"):
        compare([stored("a", noisy(POOLING))])


def test_another_metric_is_refused_and_named(stored: Maker) -> None:
    loss = noisy(POOLING, metric="val_loss")
    with pytest.raises(IncomparableSweeps, match="same metric: a val_accuracy; b val_loss"):
        compare([stored("a", noisy(POOLING)), stored("b", loss, study="metric: val_loss")])


def test_other_data_are_refused_and_named(stored: Maker) -> None:
    other = PROVENANCE["data"] | {"source": "mnist", "checksum": "cd" * 32, "train": 55_000, "validation": 5_000}
    with pytest.raises(IncomparableSweeps) as refusal:
        compare([stored("a", noisy(POOLING)), stored("b", noisy(POOLING), data=other)])
    assert str(refusal.value) == (
        "the sweeps did not read the same data: a digits (1,200 + 237 images, checksum abababababab); "
        "b mnist (55,000 + 5,000 images, checksum cdcdcdcdcdcd)"
    )


@pytest.mark.parametrize(
    ("path", "how", "said"),
    [
        ("train.loss", {"train": "loss: mse"}, "train.loss being: a crossentropy; b mse"),
        ("train.label_smoothing", {"train": "label_smoothing: 0.1"}, "train.label_smoothing being: a 0.0; b 0.1"),
        ("model.l2", {"swept": "model: {l2: 0.001, pooling: {choices: [max, average]}}"}, "model.l2 being: a 0.0; b"),
    ],
)
def test_losses_that_mean_different_things_are_refused(
    stored: Maker, path: str, how: dict[str, str], said: str
) -> None:
    loss = noisy(POOLING, metric="val_loss")
    a, b = stored("a", loss, study="metric: val_loss"), stored("b", loss, study="metric: val_loss", **how)
    with pytest.raises(IncomparableSweeps, match=f"val_loss does not mean the same in the sweeps, {said}"):
        compare([a, b])
    accuracies = [stored(f"{name}2", noisy(POOLING), **more) for name, more in (("a", {}), ("b", how))]
    assert len(compare(accuracies).sweeps) == 2


# What is compared


def test_sweeps_are_ordered_by_their_winners(stored: Maker) -> None:
    found = compare([stored("low", noisy(POOLING)), stored("high", noisy({"blur": 0.99, "max": 0.95}))])
    assert [(sweep.name, sweep.winner.choice if sweep.winner else None) for sweep in found.sweeps] == [
        ("high", "blur"), ("low", "max"),
    ]  # fmt: skip
    assert (found.sweeps[0].regret, found.sweeps[1].regret) == (0.0, pytest.approx(0.01))
    assert (found.sweeps[0].trials, found.sweeps[0].seconds) == (10, 600.0)
    assert all(sweep.decided for sweep in found.sweeps)


def test_the_lowest_loss_comes_first(stored: Maker) -> None:
    study = {"study": "metric: val_loss"}
    sweeps = [
        stored(name, noisy({"max": mean, "blur": 0.9}, metric="val_loss"), **study)
        for name, mean in (("a", 0.3), ("b", 0.2))
    ]
    found = compare(sweeps)
    assert [sweep.name for sweep in found.sweeps] == ["b", "a"]
    assert found.sweeps[1].regret == pytest.approx(0.1)
    assert found.regrets().iloc[-1].to_dict() == pytest.approx({"b": 0.0, "a": 0.1}, abs=0.01)
    assert found.ranks().iloc[-1].to_dict() == {"b": 1.0, "a": 2.0}


def test_winners_are_compared_over_the_seeds_that_they_share(stored: Maker) -> None:
    found = compare([stored("low", noisy(POOLING)), stored("high", noisy({"blur": 0.99, "max": 0.95}, seeds=4))])
    assert found.verdict is not None
    assert found.verdict.decided
    assert found.verdict.sentence.startswith("high beats low by 1.")
    assert found.verdict.pairs[0].n == 4
    assert any("looks a little too good" in warning for warning in found.warnings)


def test_accuracies_of_folds_come_in_steps_of_a_folds_images(stored: Maker) -> None:
    def over_folds(accuracies: dict[str, float]) -> pd.DataFrame:
        trials = grid({choice: [accuracy] * 5 for choice, accuracy in accuracies.items()})
        return trials.assign(fold=trials["seed"], seed=0)

    study = {"study": "metric: val_accuracy, folds: 5"}
    low, high = over_folds({"max": 0.9, "average": 0.8}), over_folds({"max": 0.95, "blur": 0.8})
    found = compare([stored("low", low, **study), stored("high", high, **study)])
    assert found.verdict is not None
    assert found.verdict.conditions[0].startswith("Said of 5 stratified folds of 287 images each")  # of 1,437
    assert sweep_choices(found).caption == (
        "Small marks: every fold. Large mark: the mean over them. Bar: 95 % t interval of the mean."
    )
    error = 1 / 287 / np.sqrt(12) * np.sqrt(1 / 5 + 1 / 4)
    for choice in (found.sweeps[0].winner, found.sweeps[1].winner, *found.verdict.choices):
        assert choice is not None
        assert [choice.low, choice.high] == pytest.approx(list(stats.t.interval(0.95, 4, choice.mean, error)))


def test_shared_choices_are_aligned(stored: Maker) -> None:
    found = compare([stored("a", noisy(POOLING)), stored("b", noisy({"blur": 0.99, "max": 0.95}))])
    assert list(found.shared.index) == ["max"]
    assert found.shared.loc["max"].to_dict() == pytest.approx({"b": 0.95, "a": 0.98}, abs=0.002)


def test_shared_choices_are_aligned_however_pandas_reads_their_columns(stored: Maker) -> None:
    """Numbers beside a fraction are read as floats, beside a list as text, and with gaps as floats too."""
    swept = "model: {network: cnn, filters: [8, 8], conv_dropout: {choices: [0, %s]}}"
    rows = {
        "a": [row("0", 0, 0.97) | {"model.conv_dropout": 0}, row("0.25", 0, 0.96) | {"model.conv_dropout": 0.25}],
        "b": [row("0", 0, 0.98) | {"model.conv_dropout": 0}, row("x", 0, 0.9) | {"model.conv_dropout": "[0.1, 0.2]"}],
    }
    sweeps = [
        stored(name, pd.DataFrame(rows[name]), swept=swept % other, study="seeds: 1")
        for name, other in (("a", "0.25"), ("b", "[0.1, 0.2]"))
    ]
    shared = compare(sweeps).shared
    assert shared.index.tolist() == ["0"]
    assert shared.loc["0"].to_dict() == {"a": 0.97, "b": 0.98}


def test_a_choice_of_several_configurations_is_aligned_by_its_best(stored: Maker) -> None:
    joint = pd.DataFrame(
        row(f"pooling={p} dropout={d}", 0, value) | {"model.pooling": p, "model.dropout": d}
        for p, d, value in (("max", 0.0, 0.90), ("max", 0.5, 0.95), ("average", 0.5, 0.97))
    )
    swept = "model: {network: cnn, pooling: {choices: [max, average]}, dropout: {choices: [0.0, 0.5]}}"
    found = compare([stored("alone", noisy(POOLING)), stored("joint", joint, swept=swept)])
    assert found.shared["joint"].to_dict() == {"max": 0.95, "average": 0.97}


def test_choices_of_several_shared_parameters_are_aligned_by_all_of_them(stored: Maker) -> None:
    joint = pd.DataFrame(
        row(f"pooling={p} dropout={d}", 0, value) | {"model.pooling": p, "model.dropout": d}
        for p, d, value in (("max", 0.0, 0.90), ("max", 0.5, 0.95), ("average", 0.5, 0.97))
    )
    swept = "model: {network: cnn, pooling: {choices: [max, average]}, dropout: {choices: [0.0, 0.5]}}"
    found = compare([stored("a", joint, swept=swept), stored("b", joint.head(2), swept=swept)])
    assert list(found.shared.index) == ["pooling=max dropout=0.5", "pooling=max dropout=0.0"]


def test_sweeps_of_different_parameters_share_no_choices(stored: Maker) -> None:
    kernels = noisy({"3": 0.9, "5": 0.95}, path="model.kernel_size")
    swept = "model: {network: cnn, kernel_size: {choices: [3, 5]}}"
    found = compare([stored("a", noisy(POOLING)), stored("b", kernels, swept=swept)])
    assert found.shared.empty
    assert "Choices that the sweeps share" not in shown(found)


def test_settings_that_differ_are_listed_and_swept_ones_are_not(stored: Maker) -> None:
    found = compare([stored("a", noisy(POOLING)), stored("b", noisy(POOLING), train="epochs: 9, optimizer: sgd")])
    assert found.differences == ("train.optimizer.name: adam (a), sgd (b)", "train.epochs: 3 (a), 9 (b)")


def test_elements_beside_a_swept_one_are_compared(stored: Maker) -> None:
    swept = "model: {network: cnn, filters: [%d, {choices: [8, 16]}]}"
    trials = noisy({"8": 0.98, "16": 0.96}, path="model.filters.1")
    found = compare([stored("a", trials, swept=swept % 32), stored("b", trials, swept=swept % 64)])
    assert found.differences == ("model.filters: [32, swept] (a), [64, swept] (b)",)


def test_nothing_that_is_swept_with_its_section_is_listed(stored: Maker) -> None:
    swept = "model: {choices: [{pooling: max, dropout: 0.1}, {pooling: average, dropout: 0.1}]}"
    labels = {"{pooling: max, dropout: 0.1}": 0.98, "{pooling: average, dropout: 0.1}": 0.96}
    whole = stored("b", noisy(labels, path="model"), swept=swept)
    assert compare([stored("a", noisy(POOLING)), whole]).differences == ()


def test_what_one_sweeps_and_another_has_fixed_is_listed(stored: Maker) -> None:
    both = "model: {network: cnn, pooling: {choices: [max, average]}, dropout: {choices: [0.0, 0.5]}}"
    one = "model: {network: cnn, pooling: {choices: [max, average]}, dropout: 0.25}"
    labels = {"pooling=max dropout=0.5": 0.98, "pooling=average dropout=0.0": 0.96}
    trials = noisy(labels).assign(**{"model.pooling": "max", "model.dropout": 0.5})
    found = compare([stored("a", trials, swept=both), stored("b", noisy(POOLING), swept=one)])
    assert found.differences == ("model.dropout: swept (a), 0.25 (b)",)
    assert "Also different: model.dropout: swept (a), 0.25 (b)" in shown(found)


def test_an_element_that_another_sweep_has_fixed_is_told(stored: Maker) -> None:
    trials = noisy({"8": 0.98, "16": 0.96}, path="model.filters.1")
    swept = "model: {network: cnn, pooling: max, filters: [32, {choices: [8, 16]}]}"
    fixed = "model: {network: cnn, filters: [32, 24], pooling: {choices: [max, average]}}"
    found = compare([stored("a", trials, swept=swept), stored("b", noisy(POOLING), swept=fixed)])
    assert found.differences == ("model.filters: [32, swept] (a), [32, 24] (b)", "model.pooling: max (a), swept (b)")


def test_a_mapping_that_another_sweep_has_fixed_is_told_as_a_whole(stored: Maker) -> None:
    swept = {"swept": "model: {network: cnn}", "train": "epochs: 3, optimizer: {choices: [adam, sgd]}"}
    trials = noisy({"adam": 0.98, "sgd": 0.96}, path="train.optimizer")
    found = compare([stored("a", trials, **swept), stored("b", noisy(POOLING))])
    assert [line.split(":")[0] for line in found.differences] == ["model.pooling", "train.optimizer"]
    assert found.differences[1].startswith("train.optimizer: swept (a), {name: adam")


def test_other_precision_and_versions_are_warned_of(stored: Maker) -> None:
    other = {"precision": "bfloat16", "versions": {"keras": "3.16.0", "tensorflow": "2.22.0"}}
    found = compare([stored("a", noisy(POOLING)), stored("b", noisy(POOLING), **other)])
    assert "The sweeps differ in precision: a float32; b bfloat16." in found.warnings
    assert any("a keras 3.15.1, tensorflow 2.21.0; b keras 3.16.0" in warning for warning in found.warnings)


def test_a_sweep_is_not_compared_with_itself(stored: Maker) -> None:
    sweep, other = stored("a", noisy(POOLING)), stored("b", noisy(POOLING))
    with pytest.raises(IncomparableSweeps, match="two different sweeps at least"):
        compare([sweep, Results(sweep.folder / ".." / sweep.folder.name)])
    assert {summary.name for summary in compare([sweep, other, sweep]).sweeps} == {"a", "b"}


def test_sweeps_of_one_name_are_told_apart_by_their_folders(stored: Maker) -> None:
    folders = {"a": ("one", "two"), "b": ("lab/results", "home/results"), "c": ("one",)}
    sweeps = [stored(name, noisy(POOLING), folder=folder) for name, some in folders.items() for folder in some]
    names = {sweep.name for sweep in compare(sweeps).sweeps}
    assert names == {"one/a", "two/a", "lab/results/b", "home/results/b", "c"}


def test_a_sweep_without_a_complete_trial_comes_last(stored: Maker) -> None:
    failed = pd.DataFrame([row("max", 0, "failed")])
    found = compare([stored("failed", failed), stored("a", noisy(POOLING))])
    assert [sweep.name for sweep in found.sweeps] == ["a", "failed"]
    assert (found.sweeps[1].winner, found.sweeps[1].regret, found.verdict) == (None, None, None)
    assert found.ranks().iloc[-1].to_dict()["a"] == 1
    assert "failed: There is no verdict: no trial is complete." in shown(found)


# Over time


def test_regret_falls_as_better_trials_are_found(stored: Maker) -> None:
    quick = pd.DataFrame([row("max", s, value) for s, value in enumerate([0.98, 0.97, 0.96])])
    slow = pd.DataFrame([row("max", s, value) for s, value in enumerate(["failed", 0.90, "pruned", 0.99])])
    found = compare([stored("quick", quick), stored("slow", slow)])
    expected = pd.DataFrame({"slow": [np.nan, 0.09, 0.09, 0.0], "quick": [0.01] * 4}, index=[1, 2, 3, 4])
    regrets = found.regrets()[["slow", "quick"]]
    assert regrets.to_numpy() == pytest.approx(expected.to_numpy(), nan_ok=True)
    assert found.ranks()[["slow", "quick"]].iloc[[1, 3]].to_numpy().tolist() == [[2, 1], [1, 2]]
    assert found.regrets("seconds").index.tolist() == [60.0, 120.0, 180.0, 240.0]


def test_a_confirmation_is_no_progress(stored: Maker) -> None:
    trials = pd.DataFrame(
        [row("max", 0, 0.9), row("max", 1, 0.99, purpose="confirm"), row("max", 2, 0.98, purpose="confirm")]
    )
    found = compare([stored("a", trials), stored("b", noisy(POOLING))])
    assert len(found.progress[found.progress["sweep"] == "a"]) == 1


def test_sweeps_that_are_equally_good_share_a_rank(stored: Maker) -> None:
    found = compare([stored("a", noisy(POOLING)), stored("b", noisy(POOLING))])
    assert found.ranks().iloc[-1].tolist() == [1, 1]


# On the terminal


def test_everything_is_printed(stored: Maker) -> None:
    text = shown(
        compare([stored("a", noisy(POOLING)), stored("b", noisy({"blur": 0.99, "max": 0.95}), train="epochs: 9")])
    )
    assert "val_accuracy of 2 sweeps" in text
    assert "b: blur beats max by " in text
    assert "Choices that the sweeps share" in text
    assert "Also different: train.epochs: 9 (b), 3 (a)" in text or "Also different: train.epochs: 3 (a), 9 (b)" in text
    assert "Winner against winner: b beats a by " in text


def test_labels_that_look_like_markup_are_printed_as_they_are(stored: Maker) -> None:
    filters = noisy({"[32, 64]": 0.99, "[8]": 0.9}, path="model.filters")
    swept = "model: {network: cnn, filters: {choices: [[32, 64], [8]]}}"
    text = shown(compare([stored("a", filters, swept=swept), stored("b", filters, swept=swept)]))
    assert text.count("[32, 64]") >= 5


def test_a_thousand_trials_are_compared_without_tensorflow_or_optuna(stored: Maker) -> None:
    rng = np.random.default_rng(0)
    many = pd.DataFrame(
        row(str(rate), 0, 0.98 - abs(np.log10(rate) + 3) / 50, path="train.learning_rate")
        for rate in 10 ** rng.uniform(-5, -1, 1000)
    )
    swept = "model: {network: cnn}"
    how = {
        "swept": swept,
        "train": "learning_rate: {low: 1e-5, high: 1e-1, log: true}",
        "study": "sampler: random, trials: 1000",
    }
    folders = [str(stored(name, many, **how).folder) for name in ("a", "b")]
    script = (
        "import sys\nfrom optimize.compare import compare\nfrom optimize.results import Results\n"
        "found = compare([Results(folder) for folder in sys.argv[1:]])\n"
        "assert len(found.progress) == 2000\n"
        "print({name for name in ('tensorflow', 'keras', 'optuna', 'torch', 'matplotlib') if name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script, *folders], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "set()"), done.stderr


def test_what_one_has_as_a_mapping_and_another_not_at_all_is_told_once(stored: Maker) -> None:
    plain, shift = stored("b", noisy(POOLING)), "epochs: 3, augment: {shift: %s}"
    found = compare([stored("a", noisy(POOLING), train=shift % 0.1), plain])
    assert [line.split(", ")[0] for line in found.differences] == ["train.augment: {shift: 0.1"]
    trials = noisy({"0.0": 0.98, "0.2": 0.96}, path="train.augment.shift")
    within = {"swept": "model: {network: cnn, pooling: max}", "train": shift % "{choices: [0, 0.2]}"}
    found = compare([stored("c", trials, **within), plain])
    assert found.differences == ("model.pooling: max (c), swept (b)", "train.augment: swept (c), null (b)")
