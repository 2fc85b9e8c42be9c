import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from loading import loaded
from PIL import Image
from rich.console import Console

from main.complaints import ConfigError
from optimize import cores
from optimize.cores import threads_to_spare
from optimize.plan import described_data, make_plan, print_plan, undecidable
from optimize.sections import RunConfig
from optimize.sweep import run_sweep
from sweeps import Witness

CONFIGS = [  # a baseline is one training, with nothing swept
    path for path in sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml")) if path.parent.name != "baselines"
]
GRID = "name: g\ndata: {source: digits}\nmodel: {pooling: {choices: [max, stride]}}\n"
JOINT = """\
name: joint
question: Which [red]pooling[/red] is best?
data: {source: digits}
model:
  activation: {choices: [relu, leaky_relu]}
  leaky_relu_slope: {low: 0.1, high: 0.3, when: {model.activation: leaky_relu}}
train: {epochs: {low: 2, high: 9}, batch_size: {choices: [32, 4096]}}
study:
  sampler: tpe
  trials: 40
  pruner: {name: median, n_warmup_steps: 1}
  baseline: {model.activation: relu, train.epochs: 5}
  confirm: {top: 2, seeds: 3}
"""


def shown(text: str, *overrides: str) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_plan(loaded(text, *overrides), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_sentences_are_not_broken_where_the_terminal_is_narrow() -> None:
    text = GRID + "train: {learning_rate: {choices: [0.01, 0.1]}}\nstudy: {compare: model.pooling}\n"
    console = Console(file=io.StringIO(), width=40)
    print_plan(loaded(text), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert any("too few configurations to tell" in line and line.endswith("of each.") for line in lines)


def test_a_grid_has_its_cells_times_its_seeds() -> None:
    plan = make_plan(loaded(GRID, "study.seeds=3", "study.folds=4"))
    assert (plan.configurations, plan.search_trials, plan.confirm_trials, plan.trials) == (2, 24, 0, 24)
    assert (plan.data.source, plan.data.n_train, plan.data.n_validation) == ("digits", 1078, 359)  # of 1,437


def test_a_grid_of_folds_has_one_seed_unless_written() -> None:
    assert make_plan(loaded(GRID)).search_trials == 2 * 5
    assert make_plan(loaded(GRID, "study.folds=4")).search_trials == 2 * 4


def test_a_search_has_its_budget_and_then_its_confirmation() -> None:
    plan = make_plan(loaded(JOINT))
    assert (plan.configurations, plan.search_trials, plan.confirm_trials) == (40, 40, 9)
    assert plan.most_epochs == 9


@pytest.mark.parametrize(
    ("study", "trials", "said"),
    [
        ("confirm: {top: 2, seeds: 2}", 12, "2 finalists on 2 fresh seeds × 3 folds"),
        ("confirm: {top: 2, seeds: [7]}, baseline: {model.pooling: max}", 9, "baseline on 1 fresh seed × 3 folds"),
    ],
)
def test_a_confirmation_takes_every_fold_of_its_seeds(study: str, trials: int, said: str) -> None:
    text = f"{GRID}study: {{folds: 3, pruner: median, {study}}}\n"
    plan = make_plan(loaded(text))
    assert (plan.search_trials, plan.confirm_trials) == (6, trials)
    assert f"{said}: {trials} trials more" in shown(text)


def test_memory_follows_the_batch_and_disk_the_trials() -> None:
    small, large = make_plan(loaded(JOINT, "train.batch_size=32")), make_plan(loaded(JOINT))
    assert large.memory > small.memory
    assert make_plan(loaded(JOINT, "study.trials=400")).disk > large.disk


def test_memory_counts_the_networks_that_a_worker_keeps() -> None:
    """A network of 100 million weights: 0.4 GB for each of its copies."""
    filters = "model.filters=[64, 64]"
    one = make_plan(loaded(GRID, filters, "model.dense_units=[40000]"))
    two = make_plan(loaded(GRID, filters, "model.dense_units={choices: [[40000], [39999]]}"))
    copies = one.memory / (4 * max(network.parameters for network in one.networks))
    assert copies > 12
    assert two.memory > one.memory * 1.2


def test_the_plan_of_a_grid_is_shown_whole() -> None:
    text = shown(GRID)
    assert "Which pooling is best?" in text
    assert "digits: 1,200 images to train, 237 to validate, 28 × 28 × 1, 10 classes" in text
    assert "model.pooling   max, stride" in text
    assert "Network 1 of 2: pooling=max" in text
    assert "conv_2              11 × 11 × 64       18,496       2,230,272" in text
    assert re.search("total +34,826 +2,440,960", text)
    assert "2 configurations × 5 seeds = 10 trials of 6 epochs" in text
    assert "MB a worker; disk: at most" in text


def test_what_may_end_sooner_is_no_promise_of_so_many_trials() -> None:
    race = shown(f"{GRID}study: {{seeds: 5, race: true}}\n")
    assert "2 configurations × 5 seeds = up to 10 trials of 6 epochs" in race
    assert "a race: a choice that can no longer win gets no more seeds" in race
    assert "no more folds" in shown(f"{GRID}study: {{folds: 5, race: true}}\n")
    text = shown(JOINT, "study.stop={target: 0.99}")
    assert "up to 40 trials of up to 9 epochs, drawn by tpe" in text
    assert "`stop` may end the search sooner" in text
    assert "`stop`" not in shown(JOINT, "study.stop={}")


def test_one_trial_is_not_called_trials() -> None:
    text = shown(JOINT, "study.trials=1", "study.baseline=null", "study.confirm={top: 1, seeds: 1}")
    assert "\n1 trial of up to 9 epochs" in text
    assert "then 1 finalist on 1 fresh seed: 1 trial more" in text


def test_the_plan_of_a_search_is_shown_whole() -> None:
    text = shown(JOINT)
    assert "Which [red]pooling[/red] is best?" in text
    assert "model.activation is leaky_relu" in text
    assert "The network of every configuration" in text
    assert "40 trials of up to 9 epochs, drawn by tpe" in text
    assert "then 2 finalists and the baseline on 3 fresh seeds: 9 trials more" in text
    assert "median stops trials that will not win" in text


SIX_OF_MAX = ", ".join(f"{{model.pooling: max, train.learning_rate: 0.00{i}}}" for i in "234567")
COMPARED = GRID + "train: {learning_rate: {choices: [1e-3, 3e-3, 1e-2]}}\nstudy: {compare: model.pooling}\n"


@pytest.mark.parametrize(
    ("changes", "fewest"),
    [
        ((), 3),
        (("train.learning_rate={choices: [1e-4, 1e-3, 3e-3, 1e-2]}",), None),
        (("study.sampler=random", "study.trials=100"), 3),
        (("study.sampler=random", "study.trials=100", "train.learning_rate={low: 1e-3, high: 1e-2}"), None),
        (("study.sampler=random", "study.trials=7", "train.learning_rate={low: 1e-3, high: 1e-2}"), 3),
        (("study.sampler=random", "study.trials=8", "train.learning_rate={low: 1e-3, high: 1e-2}"), None),
        (
            (
                "study.sampler=random",
                "study.trials=8",
                "train.learning_rate={low: 1e-3, high: 1e-2}",
                f"study.start=[{SIX_OF_MAX}]",
            ),
            2,
        ),
    ],
)
def test_a_factor_that_can_never_be_decided_is_told_from_one_that_can(
    changes: tuple[str, ...], fewest: int | None
) -> None:
    said = undecidable(loaded(COMPARED, *changes))
    assert (said is None) == (fewest is None)
    if said is not None:
        assert f"too few configurations to tell 2 choices apart, whatever they reach: {fewest} of a choice" in said


def test_plan_and_run_say_that_a_factor_can_never_be_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = undecidable(loaded(COMPARED))
    assert said is not None
    assert said in " ".join(shown(COMPARED).split())
    monkeypatch.setattr("optimize.sweep._run", lambda *_, **__: None)
    witness = Witness()
    run_sweep(loaded(COMPARED), results_dir=tmp_path, observer=witness)
    assert said in witness.notes


def test_the_plan_says_that_a_baseline_without_a_confirmation_is_tried_first() -> None:
    assert "drawn by tpe; the first is the baseline" in shown(JOINT.replace("{top: 2, seeds: 3}", "null"))
    assert "the first is the baseline" not in shown(JOINT)


def test_sections_that_are_swept_as_a_whole() -> None:
    sections = (
        "name: g\ndata: {source: digits}\nmodel:\n  choices: [{filters: [8]}, {filters: [8, 8], padding: same}]\n"
        "train:\n  choices: [{epochs: 3}, {epochs: 9, batch_size: 4096}, {loss: focal}]\n"
    )
    plan = make_plan(loaded(sections))
    assert [len(network.spec.filters) for network in plan.networks] == [1, 2]
    assert plan.most_epochs == 9
    assert "trials of up to 9 epochs" in shown(sections)
    assert plan.memory > make_plan(loaded(sections, "train.choices.1.batch_size=32")).memory


def test_a_section_that_is_off_has_its_defaults() -> None:
    text = "data: {source: digits}\nmodel: {batch_norm: {choices: [true, false]}}\n%s"
    assert "trials of up to 6 epochs" in shown(
        text % "train: {choices: [{epochs: 1}], when: {model.batch_norm: true}}\n"
    )
    stopping = "train: {choices: [{epochs: 3}, {epochs: 3, early_stopping: 1}]}\n"
    assert "trials of up to 3 epochs" in shown(text % stopping)


def test_the_plan_says_which_folders_of_the_data_are_passed_over(tmp_path: Path) -> None:
    for number, name in enumerate(("train/cat", "train/dog", "Testing_2/cat")):
        (tmp_path / name).mkdir(parents=True)
        for copy in range(20):
            Image.new("L", (28, 28), 9 * number + copy).save(tmp_path / name / f"{copy}.png")
    text = shown(GRID, f"data.source={tmp_path}")
    assert "passed over beside train/: Testing_2/" in " ".join(text.split())


def test_data_that_cannot_be_had_are_told_at_their_line() -> None:
    with pytest.raises(ConfigError) as raised:
        make_plan(loaded(GRID, "data.source=no/such/images.npz"))
    assert raised.value.complaints[0].path == "data.source"


def test_a_combination_that_makes_no_network_is_told() -> None:
    with pytest.raises(ConfigError, match="kernel_size 3 is larger than the 1 × 1 image"):
        make_plan(loaded(GRID, "model.pool_size=16"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda p: p.stem)
def test_every_config_plans_without_the_slow_imports(config: Path) -> None:
    """What a plan waits for is imports: those of a second or more are counted, none of them may be made."""
    code = (
        "import sys; from rich.console import Console; from optimize.config import load_config;"
        "from optimize.plan import print_plan; print_plan(load_config(sys.argv[1]), Console());"
        "slow = {'tensorflow', 'keras', 'optuna', 'sqlalchemy', 'pandas', 'matplotlib', 'distributed', 'sklearn'};"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, config], capture_output=True, text=True, check=True)
    assert "trials of" in done.stdout or "range tests" in done.stdout


@pytest.mark.parametrize(
    ("run", "trials", "spare"),
    [("auto", 2, 4), ("auto", 3, 2), ("auto", 5, None), (1, 20, 8), (3, 2, 4), (0, 1, None), ("auto", 0, None)],
)
def test_so_few_trials_that_cores_idle(
    run: int | str, trials: int, spare: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "machine_cores", lambda: list(range(8)))
    monkeypatch.setattr(cores, "gpus", lambda: ())
    assert threads_to_spare(RunConfig.model_validate({"workers": run}), trials) == spare


def test_the_plan_says_how_idle_cores_would_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "machine_cores", lambda: list(range(8)))
    assert "`run: {threads: 4}` would give each trial 4" in shown(GRID + "study: {seeds: 1}\n")
    assert "idle" not in shown(GRID)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{source: digits, otherwise: mnits}", "otherwise: unknown source 'mnits'; did you mean 'mnist'?"),
        ("{source: nothing}", "source: unknown source 'nothing'"),
    ],
)
def test_data_that_cannot_be_had_are_refused_at_the_key_that_asks_for_them(data: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        described_data(loaded(GRID.replace("{source: digits}", data)))
    assert [complaint.headline.partition(": data.")[2].startswith(said) for complaint in raised.value.complaints] == [
        True
    ]
    assert raised.value.complaints[0].column > 7
