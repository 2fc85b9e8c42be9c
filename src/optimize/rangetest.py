"""A sweep's learning-rate range test: on its workers, into its own folder, without a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from main.backend import Precision, choose_precision
from main.config import ScheduleConfig
from main.data import fallback, load_training
from main.errors import UserError
from main.names import LONGEST
from main.provenance import now
from main.yaml12 import flow
from optimize.config import SweepConfig
from optimize.engine import Engine, TrialRunner
from optimize.networks import planned_networks
from optimize.provenance import provenance
from optimize.ratechart import draw_rates
from optimize.ratereading import RateCurve, RateReading, read_curves, rising_rates
from optimize.ratetrial import RateOutcome, RateTask
from optimize.ratetrial import run as run_rising
from optimize.results import Results
from optimize.rules import RATES
from optimize.sections import RangeTestConfig
from optimize.space import SearchSpace
from optimize.staff import Staff
from optimize.trainings import Trainings
from optimize.trial import TrialOutcome, TrialTask

READING_COLUMNS = (
    "configuration", "seeds", "steepest", "lowest", "suggested", "suggested_low", "suggested_high", "diverged",
)  # fmt: skip
CURVE_COLUMNS = ("configuration", "seed", "step", "learning_rate", "loss")
BESIDE = "-lr-range"
"""What the folder of a sweep file's range test is called after the sweep."""
OF_TRIALS = {
    "folds": "null", "race": "false", "pruner": "null", "confirm": "null", "baseline": "null", "compare": "null",
    "stop": "{}", "metric": "val_accuracy",
}  # fmt: skip
"""Keys of a study that no range test has, and what leaves them out."""
_OF_RATES = tuple(f"{path}." for path in RATES)


@dataclass(frozen=True)
class RangeTested:
    """What a range test leaves."""

    results: Results
    readings: tuple[RateReading, ...]


def as_range_test(config: SweepConfig) -> list[str]:
    """What to set in a sweep's file to make it a range test, in a folder beside the sweep's.

    What is about trials is left out, and so are a schedule and swept rates, which the rising rate replaces.

    Raises:
        main.errors.UserError: the sweep is a search, whose configurations are not known before it is run.
    """
    if (sampler := config.study.sampler.name) != "grid":
        raise UserError(
            f"a range test compares the configurations of a grid, and the sampler of {config.name} is {sampler}: write "
            "a file for it without sampler and trials, with a value or choices in place of each range"
        )
    changes = [f"study.{key}={value}" for key, value in OF_TRIALS.items() if getattr(config.study, key)]
    rates = swept_rates(config.space)
    changes += [f"{path}={flow(config.written(path))}" for path in rates]
    kept = {"train", "train.schedule"} & set(config.space.paths) - set(rates)
    if config.base.train.schedule.name != "constant" and not kept:
        changes.append("train.schedule=constant")
    return [*changes, "study.range_test={}", f"name={config.name[: LONGEST - len(BESIDE)]}{BESIDE}"]


def swept_rates(space: SearchSpace) -> list[str]:
    """Paths of the learning rates and schedules that a space sweeps, without those that other parameters wait for."""
    awaited = {path for parameter in space.parameters for path in parameter.when}
    return [path for path in space.paths if path not in awaited and f"{path}.".startswith(_OF_RATES)]


def run_range_test(
    config: SweepConfig,
    results_dir: Path | str | None = None,
    *,
    workers: int | None = None,
    announce: Callable[[str], None] = lambda _: None,
    run: TrialRunner = run_rising,
) -> RangeTested:
    """Train every configuration once per seed while the rate rises, and read off where training is fastest.

    Args:
        config: the sweep; what it sweeps is compared, and `study.range_test` says from which rate to which.
        results_dir: the folder that holds the sweep's own, named after it; `config.usual_results` unless given.
        workers: how many trainings at once, instead of what the sweep file says; 0 trains in this process.
        announce: told of a fallback, and of each training as it ends.
        run: what a worker does with a training.

    Raises:
        main.complaints.ConfigError: a combination makes no network for images of this size.
        main.data.DataError: the data is missing or damaged.
        optimize.locks.SweepLocked: another process runs this sweep.
        main.errors.UserError: the folder holds a sweep, lies in a sweep's folder or around one, no worker comes, or
            every training fails.
        OSError: the results cannot be written.
    """
    results = Results(Path(results_dir or config.usual_results) / config.name)
    results.refuse_nesting()
    if results.trials_file.exists():
        raise UserError(f"{results.folder} holds a sweep: give the range test another name")
    data = load_training(config.base.data)
    planned_networks(config, data.input_shape, data.n_classes)
    sweep_text = config.resolved()
    if data.remark:
        announce(data.remark)
    if data.notice:
        announce(data.notice)
        config = config.with_data(fallback(config.base.data))
    precision = choose_precision(config.run.precision)
    test = config.study.range_test or RangeTestConfig()
    tasks = _tasks(config, test, len(data.train), precision, data.checksum)
    with results.lock():
        with Staff(config, run, workers=workers, trials=len(tasks), log=results.log_file) as staff:
            facts = provenance(
                data,
                config.identity(),
                study=None,
                workers=staff.workers,
                threads=config.run.threads,
                precision=precision,
            )
            curves = _curves(tasks, config, staff.engine(), announce)
        readings = _read_all(tasks, curves)
        results.forget_sweep()  # of an earlier test, whose results these replace one by one
        _write(results, readings, tasks, curves)
        results.write_rate_chart(draw_rates(readings, config.question, data.notice))
        results.write_json(results.provenance_file, {**facts, "ended": now()})
        results.write_sweep(sweep_text)  # last: a folder without is no range test, as one that was stopped leaves it
    return RangeTested(results, readings)


def _tasks(
    config: SweepConfig, test: RangeTestConfig, n_images: int, precision: Precision, checksum: str
) -> list[RateTask]:
    """Every cell on every seed; cells outer, so that a worker goes on with the network it has traced."""
    found: list[RateTask] = []
    for cell in config.space.cells():
        written = config.concrete(cell)
        constant = written.train.model_copy(update={"schedule": ScheduleConfig()})  # the rate that rises is the test's
        training = replace(written, train=constant)
        steps = training.train.epochs * ceil(n_images / training.train.batch_size)
        rates = tuple(rising_rates(test.start, test.end, steps).tolist())
        found += [
            RateTask(
                trial=len(found) + number,
                values=cell,
                configuration=config.space.configuration_label(cell),
                seed=seed,
                config=training,
                metric=config.study.metric,
                precision=precision,
                data_checksum=checksum,
                rates=rates,
            )
            for number, seed in enumerate(config.study.seeds)
        ]
    return found


def _curves(
    tasks: Sequence[RateTask], config: SweepConfig, engine: Engine, announce: Callable[[str], None]
) -> list[RateCurve]:
    def on_end(task: TrialTask, outcome: TrialOutcome) -> None:
        said = (outcome.reason or "done") if isinstance(outcome, RateOutcome) else f"failed ({outcome.reason})"
        announce(f"{task.configuration}, seed {task.seed}: {said}")

    ended = Trainings(tasks, config.run, engine, announce, on_end=on_end).run()
    outcomes = [(task, ended[task.trial]) for task in tasks]
    curves = [RateCurve(t.configuration, t.seed, done.losses) for t, done in outcomes if isinstance(done, RateOutcome)]
    if not curves:
        raise UserError(f"every training failed, the first of them: {outcomes[0][1].reason}")
    return curves


def _read_all(tasks: Sequence[RateTask], curves: Sequence[RateCurve]) -> tuple[RateReading, ...]:
    trained = {curve.configuration for curve in curves}
    rates = {task.configuration: task.rates for task in tasks if task.configuration in trained}
    return tuple(
        read_curves([curve for curve in curves if curve.configuration == name], rising_rates(r[0], r[-1], len(r)))
        for name, r in rates.items()
    )


def _write(
    results: Results, readings: Sequence[RateReading], tasks: Sequence[RateTask], curves: Sequence[RateCurve]
) -> None:
    rates = {task.configuration: task.rates for task in tasks}
    rows = [{name: getattr(reading, name) for name in READING_COLUMNS} for reading in readings]
    steps = [
        {"configuration": c.configuration, "seed": c.seed, "step": n, "learning_rate": rate, "loss": loss}
        for c in curves
        for n, (rate, loss) in enumerate(zip(rates[c.configuration], c.losses, strict=False), start=1)
    ]
    results.write_rates(READING_COLUMNS, rows, CURVE_COLUMNS, steps)
