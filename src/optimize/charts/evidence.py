"""What the charts and the report read: a sweep's tables, with its choices in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from optimize import wording
from optimize.charts.palette import Look, looks
from optimize.charts.parameters import Parameter, read_parameters
from optimize.charts.units import Metric
from optimize.config import stored_sweep
from optimize.trialtable import judged_trials, usable
from optimize.verdict import Verdict, read_verdict

if TYPE_CHECKING:
    from optimize.results import Results
    from optimize.space import SearchSpace

MOST_CHOICES = 24
"""More configurations than this are not told apart one by one, in colour or in a table."""


@dataclass(frozen=True)
class Choice:
    """One value of what is compared: the only swept parameter's, the factor's, or a whole configuration."""

    label: str
    """As in the tables and the verdict."""
    short: str
    """As drawn; the parameters' names are left to the axis."""
    look: Look


Groups = list[tuple[Choice | None, pd.DataFrame]]
"""Trials by choice; None holds those of no choice that is told apart."""


@dataclass(frozen=True)
class Evidence:
    """A sweep's tables and what they are about."""

    name: str
    question: str
    metric: Metric
    epochs: int
    """Of a trial, where they are not swept."""
    space: SearchSpace
    parameters: tuple[Parameter, ...]
    """Those of `space`, as axes."""
    factor: Parameter | None
    """The parameter that is compared; None where whole configurations are."""
    trials: pd.DataFrame
    """trials.csv, every state, ordered by trial."""
    curves: pd.DataFrame
    """curves.csv, ordered by trial and epoch."""
    verdict: Verdict | None
    provenance: Mapping[str, Any]
    folds: int | None = None
    """Into how many the images of each seed were cut; None where seeds share one split."""
    computed: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What charts show of it, by name: computed once, for the files and for the report."""

    @property
    def notice(self) -> str | None:
        """The sentence about data that are not those asked for."""
        notice = self.provenance.get("data", {}).get("notice")
        return str(notice) if notice else None

    @property
    def noun(self) -> str:
        """What choices are compared over: `seed`, or `fold`."""
        return "fold" if self.folds else "seed"

    @cached_property
    def complete(self) -> pd.DataFrame:
        """The complete trials that have a value of the metric, with the column `choice`, ordered by trial."""
        rows = self.trials[usable(self.trials, self.metric.name)]
        return rows.assign(choice=self.choice_of(rows))

    @cached_property
    def search(self) -> pd.DataFrame:
        """The trials of the search, every state, ordered by trial."""
        return self.trials[self.trials["purpose"] == "search"]

    @cached_property
    def searched(self) -> pd.DataFrame:
        """Those of `complete` that the search made: a confirmation repeats a few of its configurations."""
        return self.complete[self.complete["purpose"] == "search"]

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The complete trials that the verdict rests on.

        A factor is judged by the search; whole configurations are by the confirmation, as soon as it has a trial.
        """
        return self.searched if self.factor else judged_trials(self.complete)[0]

    @property
    def confirmed(self) -> bool:
        """Whether the verdict rests on a confirmation, and not on the search."""
        return not self.factor and judged_trials(self.complete)[1] == "confirm"

    @property
    def of_search(self) -> str:
        """` of the search`, as captions say it where a confirmation's trials are left out; nothing without one."""
        return " of the search" if len(self.search) < len(self.trials) else ""

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """What is compared: numbers by value, others as the sweep file has them; none beyond `MOST_CHOICES`."""
        rows = self.judged.drop_duplicates("choice")
        if len(rows) > MOST_CHOICES:
            return ()
        ranks = [parameter.coordinates(rows) for parameter in reversed(self._compared)]
        ordered = rows.iloc[np.lexsort(ranks)] if ranks else rows
        return tuple(
            Choice(str(row["choice"]), self._short(row), look)
            for (_, row), look in zip(ordered.iterrows(), looks(len(ordered)), strict=True)
        )

    @property
    def compared(self) -> str:
        """What the choices are choices of, in words: `pooling`, `pooling · learning_rate`."""
        return " · ".join(parameter.name for parameter in self._named)

    @property
    def _compared(self) -> tuple[Parameter, ...]:
        return (self.factor,) if self.factor else self.parameters

    @cached_property
    def _named(self) -> tuple[Parameter, ...]:
        """Those of `_compared` that some of the choices have; `when` may switch off others in all of them."""
        rows = self.judged.drop_duplicates("choice")
        return tuple(p for p in self._compared if not np.isnan(p.coordinates(rows)).all()) or self._compared

    def _short(self, row: pd.Series[Any]) -> str:
        """A choice's values, each in its place: a dash stands for one that is off, unless nothing follows it."""
        is_told = not any(p.is_on(row) for p in self._compared if p not in self._named)
        named = self._named if is_told else self._compared
        values = [p.short_label(row) or "–" for p in named]
        while values and values[-1] == "–":
            values.pop()
        return " · ".join(values) or str(row["choice"])

    def choice_of(self, rows: pd.DataFrame) -> pd.Series[str]:
        """The label of what is compared, for rows of trials.csv."""
        if self.factor is None:
            return rows["configuration"].fillna("").astype(str)
        return pd.Series([self.factor.label(row) for _, row in rows.iterrows()], index=rows.index, dtype=str)

    def choice(self, label: str) -> Choice | None:
        """The choice of a label, as the tables or the verdict have it; None where it is not told apart."""
        if self.factor is not None:  # a number may be written in more than one way
            label = self.factor.label({self.factor.path: label})
        return next((choice for choice in self.choices if choice.label == label), None)

    def shortened(self, sentence: str) -> str:
        """A sentence of the verdict, its configurations as charts write them: `7 · max · 0.00316`."""
        if len(self._compared) == 1 or not self.choices:  # a value has no shorter name
            return sentence
        rows = self.trials.assign(choice=self.choice_of(self.trials)).drop_duplicates("choice")
        rows = rows[[any(name in sentence for name in (str(c), wording.short(str(c)))) for c in rows["choice"]]]
        names = {
            written: self._short(row)
            for _, row in rows.iterrows()
            for written in (str(row["choice"]), wording.short(str(row["choice"])))
            if written and written in sentence
        }
        if not names:
            return sentence
        # In one go, the longest first: where a parameter is off, one configuration's name begins another's.
        found = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        return re.sub(found, lambda name: names[name[0]], sentence)

    def groups(self, rows: pd.DataFrame) -> Groups:
        """Rows of `complete` by choice, in order; what belongs to none comes first."""
        known = {choice.label for choice in self.choices}
        rest = rows[~rows["choice"].isin(known)]
        found: Groups = [(None, rest)] if len(rest) else []
        return found + [(choice, rows[rows["choice"] == choice.label]) for choice in self.choices]

    @cached_property
    def best(self) -> pd.Series[Any] | None:
        """The complete trial of the search with the best value; None where there is none."""
        if self.searched.empty:
            return None
        values = self.searched[self.metric.name].to_numpy()
        return self.searched.iloc[int(values.argmax() if self.metric.maximize else values.argmin())]


def read_evidence(results: Results) -> Evidence:
    """A sweep's tables from its folder.

    Raises:
        optimize.tables.MissingFile, optimize.tables.DamagedFile: a file is not there, or holds something else.
        OSError: a file cannot be read.
    """
    config, verdict = stored_sweep(results), read_verdict(results)
    parameters = read_parameters(config.space.parameters)
    factor = _factor_path(verdict) or config.study.compare
    return Evidence(
        name=config.name,
        question=config.question,
        metric=Metric(config.study.metric, config.study.direction == "maximize"),
        epochs=config.base.train.epochs,
        space=config.space,
        parameters=parameters,
        factor=next((p for p in parameters if p.path == factor), None),
        trials=results.trials().sort_values("trial", kind="stable", ignore_index=True),
        curves=results.curves().sort_values(["trial", "epoch"], kind="stable", ignore_index=True),
        verdict=verdict,
        provenance=results.provenance(),
        folds=config.study.folds,
    )


def _factor_path(verdict: Verdict | None) -> str | None:
    if verdict is None:
        return None
    return verdict.factor.factor if verdict.factor else verdict.by
