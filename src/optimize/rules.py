"""The rules between one part of a sweep file and another, each with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice

from main.checking import Problem, unknown_value
from main.config import TrainingConfig
from main.document import described
from main.meant import share_of
from optimize.advice.consequences import NOTHING_SWEPT
from optimize.algorithms import GridSampler, ThresholdPruner
from optimize.conditions import not_swept, turned_off
from optimize.paths import keys_of, removed
from optimize.sections import StopConfig, StudyConfig
from optimize.space import Choices, Range, SearchSpace, Value, is_on, label

MOST_TRIALS = 100_000
RATES = ("train.learning_rate", "train.optimizer.learning_rate", "train.schedule")
"""What says which learning rate is used when, and what a range test sets itself."""
MEANING_OF_LOSS = ("train.loss", "train.label_smoothing", "model.l2")
"""What changes what a val_loss means."""


@dataclass(frozen=True)
class Draft:
    """A sweep whose parts are each in order, but for the training at its base, which may be None."""

    study: StudyConfig
    space: SearchSpace
    base: TrainingConfig | None

    @property
    def is_grid(self) -> bool:
        """Whether every combination is trained."""
        return isinstance(self.study.sampler, GridSampler)


def most_epochs(space: SearchSpace, base: TrainingConfig | None) -> int | None:
    """Epochs of the longest training in a space; None where they cannot be told."""
    swept = space.values_of("train.epochs")
    if not swept:
        return base.train.epochs if base else None
    return max((int(value) for value in swept if isinstance(value, int | float)), default=None)


def study_problems(study: StudyConfig) -> list[Problem]:
    """What is wrong within `study`."""
    return [problem for rule in _STUDY_RULES for problem in rule(study)]


def sweep_problems(draft: Draft) -> list[Problem]:
    """What is wrong between `study` and what is swept."""
    return [problem for rule in _SWEEP_RULES for problem in rule(draft)]


def missing_packages(study: StudyConfig) -> list[Problem]:
    """What must be installed before the study can go on."""
    if study.sampler.name != "gp" or find_spec("torch") is not None:
        return []
    message = "gp computes with PyTorch, which is not installed"
    return [Problem(("study", "sampler"), message, "pip install 'optimize-sweeps[gp]'")]


# Within the study


def _budget(study: StudyConfig) -> Iterator[Problem]:
    if isinstance(study.sampler, GridSampler):
        if study.trials is not None:
            message = "a grid trains every combination once per seed, so that it takes no `trials`"
            yield Problem(("study", "trials"), message, "leave it out, or write `sampler: random`")
    elif study.trials is None:
        message = f"{study.sampler.name} goes on as long as it is let, so that it needs `trials`"
        yield Problem(("study", "sampler"), message, "write `trials: 50` in `study`")


def _of_a_grid(study: StudyConfig) -> Iterator[Problem]:
    if isinstance(study.sampler, GridSampler):
        return
    name = study.sampler.name
    if len(study.seeds) > 1:
        message = f"{name} searches with one seed, but read {len(study.seeds)} of them"
        yield Problem(
            ("study", "seeds"), message, "leave it out; `confirm: {top: 3, seeds: 5}` trains the best with more"
        )
    for key in ("folds", "race", "range_test"):
        if getattr(study, key):
            message = f"of a grid alone, but the sampler is {name}"
            yield Problem(("study", key), message, "write `sampler: grid`, or leave it out")


def _not_of_a_grid(study: StudyConfig) -> Iterator[Problem]:
    if not isinstance(study.sampler, GridSampler):
        return
    if study.confirm is not None and study.pruner is None:  # what a pruner spared are the seeds that went well
        message = "a grid has trained every combination on every seed, so that there is nothing to confirm"
        yield Problem(("study", "confirm"), message, "leave it out, and write more `seeds`")
    if study.start:
        message = "a grid tries every point anyway, in its own order"
        yield Problem(("study", "start"), message, "leave it out, or write another sampler")


def _race(study: StudyConfig) -> Iterator[Problem]:
    rounds = len(study.seeds) * (study.folds or 1)
    if study.race and isinstance(study.sampler, GridSampler) and rounds < 4:
        message = f"a race drops choices between seeds, which takes at least 4 of them, but read {rounds}"
        yield Problem(("study", "race"), message, "write `seeds: 5`")


def _range_test(study: StudyConfig) -> Iterator[Problem]:
    """A range test has no trials, and so nothing of what is about them."""
    if study.range_test is None:
        return
    for key in ("folds", "race", "pruner", "baseline", "compare"):
        if getattr(study, key):
            yield Problem(("study", key), "a range test has no trials to do this with", "leave it out")
    if study.stop != StopConfig():
        yield Problem(("study", "stop"), "a range test has no search that could be stopped", "leave it out")
    if study.metric != StudyConfig.model_fields["metric"].default:
        yield Problem(("study", "metric"), "a range test reads training losses, and no metric", "leave it out")


def _fractions(study: StudyConfig) -> Iterator[Problem]:
    if study.metric != "val_accuracy":
        return
    figures = {("stop", "target"): study.stop.target}
    if isinstance(study.pruner, ThresholdPruner):
        figures |= {("pruner", "lower"): study.pruner.lower, ("pruner", "upper"): study.pruner.upper}
    for path, figure in figures.items():
        is_reached_at_once = figure == 0 and path == ("stop", "target")
        if figure is not None and (is_reached_at_once or not 0 <= figure <= 1):
            message = f"an accuracy is a fraction from 0 to 1, but read {described(figure)}"
            percent = figure if 2 <= figure <= 100 else 99.5
            hint = f"write {share_of(Decimal(repr(percent)))} for {percent:g} %"
            yield Problem(("study", *path), message, hint)


def _finalists(study: StudyConfig) -> Iterator[Problem]:
    if study.confirm is not None and study.trials is not None and study.confirm.top > study.trials:
        message = f"{study.confirm.top} finalists of {study.trials} trials"
        yield Problem(("study", "confirm", "top"), message, "write more `trials`, or a smaller `top`")


# Between the study and what is swept


def _is_of_one(draft: Draft) -> bool:
    """Whether one configuration is to be trained several times, as the file must say: seeds by default are no wish."""
    written = draft.study.model_fields_set & {"seeds", "folds"}
    return draft.is_grid and bool(written) and len(draft.study.seeds) * (draft.study.folds or 1) > 1


def _something(draft: Draft) -> Iterator[Problem]:
    if not draft.space.parameters and not _is_of_one(draft) and draft.study.range_test is None:
        message = f"{NOTHING_SWEPT}: no choices and no range stand under `model` or `train`"
        hint = (
            "write, say, `pooling: {choices: [max, average]}`, or `seeds: 5` in `study` to train what is written five "
            "times; to train it once: python -m main train"
        )
        yield Problem(("model",), message, hint, at_key=True)


def _images(draft: Draft) -> Iterator[Problem]:
    """What a source that is known beforehand has too few of."""
    data = draft.base.data if draft.base is not None else None
    if data is not None and (data.train or data.validation):
        from main.data import too_few  # with NumPy

        problem = too_few(data)
        yield from [problem] if problem is not None else []


def _grid(draft: Draft) -> Iterator[Problem]:
    if not draft.is_grid:
        return
    endless = [p for p in draft.space.parameters if isinstance(p, Range) and p.step is None]
    for parameter in endless:
        step = "" if parameter.log else "a `step`, or "  # which a logarithmic range does not take
        hint = f"write {step}choices, or another sampler, such as `sampler: tpe` with `trials: 50`"
        yield Problem(keys_of(parameter.path), "a grid takes no range without a step", hint)
    if endless:
        return
    each = len(draft.study.seeds) * (draft.study.folds or 1)
    if sum(1 for _ in islice(draft.space.cells(), MOST_TRIALS // each + 1)) * each > MOST_TRIALS:
        message = f"the grid has more than {MOST_TRIALS:,} trials"
        yield Problem(("study", "sampler"), message, "write fewer choices, or `sampler: random` with `trials: 100`")


def _comparable(draft: Draft) -> Iterator[Problem]:
    for path in MEANING_OF_LOSS:
        swept = draft.space.values_of(path)
        if draft.study.metric == "val_loss" and any(value != swept[0] for value in swept):
            message = f"val_loss is not comparable between trials, as {path}, which changes what it means, is swept"
            yield Problem(("study", "metric"), message, "write val_accuracy or val_crossentropy")


_TURNED_OFF = "does not count beside the other values, by its `when` or by one above it"
_ONE_RATE = "write one rate; what else is swept is compared, each at every rate"


def _rising_rate(draft: Draft) -> Iterator[Problem]:
    """A range test sets the rate itself, whatever a file says of it."""
    if draft.study.range_test is None:
        return
    for path in RATES:
        if any(swept == path or swept.startswith(f"{path}.") for swept in draft.space.paths):
            yield Problem(keys_of(path), "has no effect in a range test, which sets the rate itself", _ONE_RATE)
    for parameter in draft.space.parameters:
        if isinstance(parameter, Choices) and _differ_in_rates_alone(parameter):
            message = "some of its choices differ in nothing but the rate, which a range test sets itself"
            yield Problem(keys_of(parameter.path), message)
    if draft.base is not None and "train" not in draft.space and draft.base.train.schedule.name != "constant":
        yield Problem(("train", "schedule"), "a range test has a schedule of its own", "leave it out")


def _differ_in_rates_alone(parameter: Choices) -> bool:
    without = list(parameter.values)
    for path in RATES:
        if path.startswith(f"{parameter.path}."):
            below = keys_of(path.removeprefix(f"{parameter.path}."))
            without = [removed(choice, below) for choice in without]
    return len(set(map(_canonical, without))) < len(without)


def _canonical(value: Value) -> str:
    """A label that is the same for the same: `adam` of {name: adam}, and keys in one order."""
    if not isinstance(value, dict):
        return label(value)
    if set(value) == {"name"}:
        return label(value["name"])
    return label({key: _canonical(item) for key, item in sorted(value.items()) if item != {}})


def _numeric(draft: Draft) -> Iterator[Problem]:
    ranges = (p for p in draft.space.parameters if isinstance(p, Range) and not p.when)
    if draft.study.sampler.name == "cmaes" and not any(ranges):
        message = "cmaes adapts numeric ranges that always count, and none is swept"
        yield Problem(("study", "sampler"), message, "write a range, {low: ..., high: ...}, or `sampler: tpe`")


def _factor(draft: Draft) -> Iterator[Problem]:
    path = draft.study.compare
    if path is None:
        return
    leave_out = "leave it out: a verdict compares choices anyway"
    if path not in draft.space:
        message, hint = not_swept(path, draft.space.paths)
        yield Problem(("study", "compare"), message, hint if len(draft.space.parameters) > 1 else leave_out)
        return
    factor = draft.space[path]
    if not isinstance(factor, Choices):
        message = f"{path} is a range; what is compared are choices"
        yield Problem(("study", "compare"), message, "write {choices: [...]} there")
    elif factor.when:
        message = f"{path} counts only sometimes, by its `when`, so that its choices cannot have the same budget"
        yield Problem(("study", "compare"), message)
    elif len(draft.space.parameters) == 1:
        message = "nothing but this is swept, so that each of its choices has a single configuration"
        yield Problem(("study", "compare"), message, leave_out)


def _baseline(draft: Draft) -> Iterator[Problem]:
    baseline = draft.study.baseline
    if baseline is None:
        return
    problems = list(_point(draft.space, baseline, ("study", "baseline")))
    yield from problems
    if problems:
        return
    complete = draft.space.complete(draft.space.own(baseline))
    for path in complete:
        if path not in baseline and isinstance(draft.space[path], Range):
            yield Problem(("study", "baseline"), f"{path} is a range, so that the baseline must say it")
    for path in baseline:
        if path not in complete:
            yield Problem(("study", "baseline", path), _TURNED_OFF, at_key=True)


def _start(draft: Draft) -> Iterator[Problem]:
    for index, point in enumerate(draft.study.start):
        where = ("study", "start", index)
        problems = list(_point(draft.space, point, where))
        yield from problems
        for path in () if problems else turned_off(draft.space, draft.space.own(point)):
            yield Problem((*where, path), _TURNED_OFF, at_key=True)


def _pruned(draft: Draft) -> Iterator[Problem]:
    pruner, epochs = draft.study.pruner, most_epochs(draft.space, draft.base)
    if pruner is None or epochs is None:
        return
    if epochs == 1:
        message = "a pruner stops trials between epochs, and each trial has one"
        yield Problem(("study", "pruner"), message, "write more `epochs` in `train`, or no pruner")
        return
    if pruner.waits >= epochs:
        message = f"waits {pruner.waits:,} epochs, and no trial has more than {epochs:,}: nothing would be pruned"
        skips = getattr(pruner, "min_early_stopping_rate", 0) > 0
        culprit = "min_early_stopping_rate" if skips else str(pruner.starts_after)
        yield Problem(("study", "pruner", culprit), message)


def _effective_rate(draft: Draft) -> Iterator[Problem]:
    """A swept `train.learning_rate` must matter beside every optimizer."""
    own, common = "train.optimizer.learning_rate", "train.learning_rate"
    if common not in draft.space or draft.base is None:
        return
    rate = draft.space[common]
    optimizer = next((p for p in draft.space.parameters if p.path == "train.optimizer"), None)
    message = "has no effect with an optimizer that has its own learning_rate{}"
    hint = "sweep one of the two, or say with `when` which optimizers it is for"
    fixed = optimizer is None and draft.base.train.optimizer.learning_rate is not None
    if own in draft.space or fixed:
        yield Problem(keys_of(common), message.format(""), hint)
    if isinstance(optimizer, Choices):
        for choice in optimizer.values:
            has_own = isinstance(choice, dict) and choice.get("learning_rate") is not None
            if has_own and is_on(rate, {**draft.space.complete({}), "train.optimizer": choice}):
                yield Problem(keys_of(common), message.format(f", as {label(choice)} has"), hint)
                return


def _point(space: SearchSpace, point: dict[str, Value], where: tuple[str | int, ...]) -> Iterator[Problem]:
    """What is wrong with values by path that should lie in the search space."""
    for path, value in point.items():
        if path not in space:
            yield Problem((*where, path), *not_swept(path, space.paths), at_key=True)
        elif value not in space[path]:
            parameter = space[path]
            if isinstance(parameter, Choices):
                yield Problem((*where, path), *unknown_value(value, parameter.values))
            else:
                yield Problem((*where, path), f"must be one of {parameter}, but read {described(value)}")


_STUDY_RULES: tuple[Callable[[StudyConfig], Iterator[Problem]], ...] = (
    _budget, _of_a_grid, _not_of_a_grid, _race, _range_test, _fractions, _finalists,
)  # fmt: skip
_SWEEP_RULES: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
    _something, _images, _grid, _comparable, _rising_rate, _numeric, _factor, _baseline, _start, _pruned,
    _effective_rate,
)  # fmt: skip
