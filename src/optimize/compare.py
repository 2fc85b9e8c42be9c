"""Sweeps side by side: their winners, the choices that they share, and how soon each found what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal, cast

from main.data import sizes_in_trial
from main.errors import UserError
from main.history import Direction
from optimize.config import stored_sweep
from optimize.paths import SWEEPABLE, are_nested, keys_of, placed
from optimize.rules import MEANING_OF_LOSS
from optimize.space import SearchSpace, label, short_names
from optimize.statistics import judge, judge_sweep
from optimize.trialtable import cell_label, has_folds, judged_trials, own_label, usable
from optimize.verdict import ChoiceSummary, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from optimize.config import SweepConfig
    from optimize.results import Results

Axis = Literal["trials", "seconds"]

SWEPT = "swept"
"""Stands for the value of what a sweep sweeps."""


class IncomparableSweeps(UserError):
    """Sweeps whose numbers do not mean the same; the message names what differs."""


@dataclass(frozen=True)
class SweepSummary:
    """One sweep among those compared."""

    name: str
    """Its name; the end of its folder where two have the same name."""
    question: str
    trials: int
    """Trials that ended, whatever became of them."""
    seconds: float
    """Training time of all of them together."""
    winner: ChoiceSummary | None
    """The choice with the best mean; None where no trial is complete."""
    choices: tuple[ChoiceSummary, ...]
    """All of its choices, best first."""
    regret: float | None
    """By how much the winner's mean is worse than the best of the sweeps' winners'."""
    decided: bool
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Sweeps of one metric on the same data."""

    metric: str
    direction: Direction
    noun: str
    """What choices are compared over: `seed`, or `fold`."""
    checksum: str
    """Of the data that all of them read."""
    sweeps: tuple[SweepSummary, ...]
    """Best first."""
    shared: pd.DataFrame
    """A row per choice that at least two sweeps have, a column per sweep: the best mean of the choice's configurations
    in it, NaN where the sweep does not have it. The choices are the values of the parameters that all sweeps sweep."""
    progress: pd.DataFrame
    """A row per ended trial: sweep, trials (ended so far), seconds (of training so far), best (so far), regret."""
    verdict: Verdict | None
    """On the sweeps' winners, paired by seed; None where fewer than two sweeps have one."""
    differences: tuple[str, ...]
    """Settings that differ between the sweeps, a line each; what only some of them sweep among them."""
    warnings: tuple[str, ...]

    def regrets(self, axis: Axis = "trials") -> pd.DataFrame:
        """How far each sweep's best trial so far is from the best trial of all: a row per step, a column per sweep.

        Args:
            axis: Whether a row is a number of trials, or seconds of training. A sweep that has ended keeps its last
                value; before its first usable trial it has none.
        """
        return self._steps("regret", axis)

    def ranks(self, axis: Axis = "trials") -> pd.DataFrame:
        """Place of each sweep by its best trial so far, 1 the best; equal ones share a place. Rows as in `regrets`."""
        return self.regrets(axis).rank(axis=1, method="min")

    def _steps(self, column: str, axis: Axis) -> pd.DataFrame:
        table = self.progress.pivot_table(index=axis, columns="sweep", values=column, aggfunc="last", dropna=False)
        return table.reindex(columns=[sweep.name for sweep in self.sweeps]).ffill()


def compare(results: Sequence[Results]) -> Comparison:
    """Set sweeps side by side; one that is named twice stands there once.

    Raises:
        IncomparableSweeps: fewer than two sweeps, or their metrics or their data differ.
        optimize.tables.MissingFile, optimize.tables.DamagedFile: a file is not there, or holds something else.
        OSError: a file cannot be read.
    """
    results = list({sweep.folder.resolve(): sweep for sweep in results}.values())
    if len(results) < 2:
        raise IncomparableSweeps("a comparison needs two different sweeps at least, or a folder of them")
    entries = _read(results)
    _check_comparable(entries)
    metric, direction = entries[0].config.study.metric, entries[0].config.study.direction
    summaries = _summaries(entries, direction)
    names = [summary.name for summary in summaries]
    ordered = sorted(entries, key=lambda entry: names.index(entry.name))
    between = _between_winners(ordered, metric, direction)
    return Comparison(
        metric=metric,
        direction=direction,
        noun="fold" if entries[0].config.study.folds else "seed",
        checksum=entries[0].data["checksum"],
        sweeps=summaries,
        shared=_shared_choices(ordered, metric, direction),
        progress=_progress(ordered, metric, direction),
        verdict=between,
        differences=_differences(entries),
        warnings=_warnings(entries, between),
    )


@dataclass(frozen=True)
class _Entry:
    """What is read of one sweep."""

    name: str
    config: SweepConfig
    provenance: Mapping[str, Any]
    trials: pd.DataFrame
    verdict: Verdict

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.provenance["data"]
        return data


def _read(results: Sequence[Results]) -> list[_Entry]:
    configs = [stored_sweep(sweep) for sweep in results]
    names = _told_apart([config.name for config in configs], [sweep.folder for sweep in results])
    entries = []
    for sweep, config, name in zip(results, configs, names, strict=True):
        provenance, trials = sweep.provenance(), sweep.trials()
        verdict = judge_sweep(
            trials,
            config,
            notice=provenance["data"].get("notice"),
            validation_images=_validation_images(config, provenance["data"]),
        )
        entries.append(_Entry(name, config, provenance, trials, verdict))
    return entries


def _validation_images(config: SweepConfig, data: Mapping[str, Any]) -> int:
    """How many images validate in each of a sweep's trials."""
    return sizes_in_trial(data["train"], data["validation"], config.study.folds, data["source"])[1]


def _told_apart(names: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Each name that is its own; of sweeps that share one, the end of their folders that tells them apart."""
    shared = {name for name, count in Counter(names).items() if count > 1}
    ends = [folder.resolve().parts[1:] for folder in folders]

    def told(place: int) -> str:
        rivals = [end for other, end in enumerate(ends) if other != place and names[other] == names[place]]
        own = ends[place]
        enough = (n for n in range(1, len(own)) if all(end[-n:] != own[-n:] for end in rivals))
        return "/".join(own[-next(enough, len(own)) :])

    return [told(place) if name in shared else name for place, name in enumerate(names)]


def _check_comparable(entries: Sequence[_Entry]) -> None:
    metrics = {entry.name: str(entry.config.study.metric) for entry in entries}
    if len(set(metrics.values())) > 1:
        raise IncomparableSweeps(f"the sweeps do not have the same metric: {_by_sweep(metrics)}")
    folds = {entry.name: str(entry.config.study.folds or "none") for entry in entries}
    if len(set(folds.values())) > 1:
        raise IncomparableSweeps(f"the sweeps did not validate on the same folds: {_by_sweep(folds)}")
    checksums = {entry.name: str(entry.data["checksum"]) for entry in entries}
    if len(set(checksums.values())) > 1:
        described = {entry.name: _described(entry.data) for entry in entries}
        raise IncomparableSweeps(f"the sweeps did not read the same data: {_by_sweep(described)}")
    for path in MEANING_OF_LOSS if set(metrics.values()) == {"val_loss"} else ():
        meanings = {entry.name: _written(entry.config, path) for entry in entries}
        if len(set(meanings.values())) > 1:
            told = _by_sweep(meanings)
            raise IncomparableSweeps(f"val_loss does not mean the same in the sweeps, {path} being: {told}")


def _by_sweep(facts: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {fact}" for name, fact in facts.items())


def _written(config: SweepConfig, path: str) -> str:
    """What every trial of a sweep has at a path that is not swept."""
    found: Any = config.base.to_dict()
    for key in keys_of(path):
        found = found.get(key) if isinstance(found, Mapping) else None
    return label(found)


def _described(data: Mapping[str, Any]) -> str:
    images = " + ".join(f"{data[key]:,}" for key in ("train", "validation"))
    return f"{data['source']} ({images} images, checksum {str(data['checksum'])[:12]})"


def _summaries(entries: Sequence[_Entry], direction: Direction) -> tuple[SweepSummary, ...]:
    sign = -1 if direction == "maximize" else 1
    winners = {e.name: e.verdict.choices[0] for e in entries if e.verdict.choices}
    best = min((sign * winner.mean for winner in winners.values()), default=0.0)
    found = [
        SweepSummary(
            name=entry.name,
            question=entry.config.question,
            trials=len(entry.trials),
            seconds=float(entry.trials["seconds"].sum()),
            winner=winners.get(entry.name),
            choices=entry.verdict.choices,
            regret=sign * winners[entry.name].mean - best if entry.name in winners else None,
            decided=entry.verdict.decided,
            sentence=entry.verdict.sentence,
        )
        for entry in entries
    ]
    return tuple(sorted(found, key=lambda summary: (summary.regret is None, summary.regret or 0.0)))


def _shared_choices(entries: Sequence[_Entry], metric: str, direction: Direction) -> pd.DataFrame:
    import pandas as pd

    shared = [path for path in entries[0].config.space.paths if all(path in e.config.space for e in entries)]
    columns = {}
    for entry in entries if shared else ():
        rows, _ = judged_trials(entry.trials)
        rows = rows[usable(rows, metric) & rows[shared].notna().all(axis=1)]
        labels = _labels(rows, shared, entry.config.space)
        means = rows.groupby([labels.rename("choice"), "configuration"], sort=False)[metric].mean().groupby(level=0)
        columns[entry.name] = means.max() if direction == "maximize" else means.min()
    table = pd.DataFrame(columns, columns=[entry.name for entry in entries], dtype=float)
    table = table[table.notna().sum(axis=1) >= 2].rename_axis(index="choice", columns=None)
    return table.sort_values(list(table.columns[:1]), ascending=direction == "minimize")


def _labels(rows: pd.DataFrame, paths: Sequence[str], space: SearchSpace) -> pd.Series[str]:
    """The values of some parameters as one text a row, the same in every sweep that has them."""
    parts = [rows[path].map(partial(own_label, space[path])).astype(str) for path in paths]
    if len(parts) == 1:
        return parts[0]
    names = short_names(paths)
    named = (names[path] + "=" + part for path, part in zip(paths, parts, strict=True))
    return reduce(lambda left, right: left + " " + right, named)


def _progress(entries: Sequence[_Entry], metric: str, direction: Direction) -> pd.DataFrame:
    """Best trial so far of each sweep's search; a confirmation trains again what the search has found."""
    import pandas as pd

    maximize = direction == "maximize"
    tables = []
    for entry in entries:
        rows = entry.trials[entry.trials["purpose"] == "search"].sort_values("ended", kind="stable")
        values = rows[metric].where(usable(rows, metric))
        tables.append(
            pd.DataFrame(
                {
                    "sweep": entry.name,
                    "trials": range(1, len(rows) + 1),
                    "seconds": rows["seconds"].cumsum(),
                    "best": (values.cummax() if maximize else values.cummin()).ffill(),
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    target = table["best"].max() if maximize else table["best"].min()
    return table.assign(regret=(table["best"] - target).abs())


def _between_winners(entries: Sequence[_Entry], metric: str, direction: Direction) -> Verdict | None:
    import pandas as pd

    winners = []
    for entry in entries:
        rows, _ = judged_trials(entry.trials)
        rows = rows[rows["configuration"].map(cell_label) == entry.verdict.winner]
        paired_by = ["seed", *(["fold"] if has_folds(rows) else [])]
        winners.append(rows[[*paired_by, "state", metric]].assign(sweep=entry.name))
    with_winner = [entry for entry in entries if entry.verdict.winner is not None]
    if len(with_winner) < 2:
        return None
    folds = entries[0].config.study.folds
    images = _validation_images(entries[0].config, entries[0].data)
    table = pd.concat(winners, ignore_index=True)
    verdict = judge(table, metric=metric, direction=direction, by="sweep", validation_images=images, folds=folds)
    return replace(verdict, values={})


def _differences(entries: Sequence[_Entry]) -> tuple[str, ...]:
    """Settings of model and train that are not the same in all sweeps, or that only some of them sweep."""
    flat = {entry.name: dict(_flat(_with_swept(entry.config))) for entry in entries}
    lines, paths = [], dict.fromkeys(path for settings in flat.values() for path in settings)
    whole = {keys_of(path) for path in paths}
    for path in paths:
        keys = keys_of(path)
        if keys[0] not in SWEEPABLE or any(keys[:n] in whole for n in range(1, len(keys))):  # told with what is above
            continue
        values = {entry.name: _told(entry.config, path, flat[entry.name]) for entry in entries}
        if len(set(values.values())) > 1:
            lines.append(f"{path}: {', '.join(f'{value} ({name})' for name, value in values.items())}")
    return tuple(lines)


def _told(config: SweepConfig, path: str, settings: Mapping[str, Any]) -> str:
    """What a sweep has at a path: a value, or the word for what it sweeps, there, above or below."""
    if path in settings:
        return label(settings[path])
    is_swept = any(are_nested(keys_of(path), keys_of(own)) for own in config.space.paths)
    return SWEPT if is_swept else _written(config, path)


def _with_swept(config: SweepConfig) -> Mapping[str, Any]:
    """What every trial of a sweep has, with a word in place of what it sweeps."""
    settings: Any = config.base.to_dict()
    for path in config.space.paths:
        settings = placed(settings, keys_of(path), SWEPT)
    return cast(Mapping[str, Any], settings)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        path = f"{prefix}{key}"
        found += _flat(value, f"{path}.") if isinstance(value, Mapping) and value else [(path, value)]
    return found


def _warnings(entries: Sequence[_Entry], between: Verdict | None) -> tuple[str, ...]:
    found = []
    checks: Mapping[str, Callable[[_Entry], str]] = {
        "precision": lambda entry: str(entry.provenance.get("precision")),
        "versions of the libraries": lambda entry: _versions(entry.provenance),
    }
    for what, read in checks.items():
        facts = {entry.name: read(entry) for entry in entries}
        if len(set(facts.values())) > 1:
            found.append(f"The sweeps differ in {what}: {_by_sweep(facts)}.")
    if between is not None and any(len(entry.verdict.choices) > 1 for entry in entries):
        found.append("Each winner was chosen on the trials that are compared here, and so looks a little too good.")
    return (*found, *(between.warnings if between else ()))


def _versions(provenance: Mapping[str, Any]) -> str:
    versions = provenance.get("versions") or {}
    return ", ".join(f"{name} {versions[name]}" for name in ("keras", "tensorflow") if name in versions) or "unknown"
