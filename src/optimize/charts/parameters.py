"""A swept parameter as an axis: where each table cell lies on it, and what its ticks say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optimize.charts.abbreviations import abbreviated
from optimize.charts.units import number
from optimize.trialtable import cell_label, is_empty

if TYPE_CHECKING:
    import pandas as pd

    from optimize.space import Choices, Range

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A swept parameter and the scale its values are drawn on."""

    swept: Choices | Range
    """As the search space has it."""
    name: str
    """As little of the path as tells it from the others: `pooling`."""
    labels: tuple[str, ...]
    """Its choices, numeric ones by value, others as written; empty of a range."""
    numeric: bool
    """Whether values lie on a scale of numbers; choices that are all numbers do."""
    log: bool
    low: float
    high: float
    """The ends of its scale: of the range, of the numeric choices, or of the choices' places."""

    @property
    def path(self) -> str:
        """The column of the tables: `model.pooling`."""
        return self.swept.path

    def coordinates(self, rows: pd.DataFrame) -> Floats:
        """Where rows of a table lie on the axis: the number itself, or the place of the choice; NaN where it is off."""
        return np.array([self._coordinate(cell) for cell in rows[self.path]], dtype=np.float64)

    def places(self, rows: pd.DataFrame) -> Floats:
        """Where rows of a table lie, from 0 to 1 over the parameter's scale; NaN where it is off."""
        return self.to_unit(self.coordinates(rows))

    def to_unit(self, values: Floats) -> Floats:
        """Values as places from 0 to 1 over the parameter's scale, logarithmic where that is."""
        low, high = self.low, self.high
        if high <= low:
            return np.where(np.isnan(values), np.nan, 0.5)
        return np.log(values / low) / np.log(high / low) if self.log else (values - low) / (high - low)

    def from_unit(self, places: Floats) -> Floats:
        """The values at places from 0 to 1 over the parameter's scale."""
        low, high = self.low, self.high
        return low * (high / low) ** places if self.log else low + (high - low) * places

    def by_place(self) -> Parameter:
        """The same parameter with its choices side by side, whatever numbers they are; a range as it is."""
        if not self.labels:
            return self
        return replace(self, numeric=False, log=False, low=0.0, high=float(len(self.labels) - 1))

    def is_on(self, row: Mapping[Any, Any] | pd.Series[Any]) -> bool:
        """Whether the parameter has a value in this row; `when` switches some off."""
        return not is_empty(row[self.path])

    def label(self, row: Mapping[Any, Any] | pd.Series[Any]) -> str:
        """The row's value as the tables write it."""
        cell = row[self.path]
        if is_empty(cell):
            return ""
        if not self.labels:
            return cell_label(cell)
        place = self._place(cell)
        return self.labels[place] if place is not None else cell_label(cell)

    def short_label(self, row: Mapping[Any, Any] | pd.Series[Any]) -> str:
        """The row's value as a chart writes it: a range's numbers rounded."""
        if self.labels or is_empty(row[self.path]):
            return self.label(row)
        return number(float(row[self.path]))

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Where each choice is on the axis, with its label, abbreviated where that is long; empty of a range."""
        if self.numeric:
            return tuple((float(label), label) for label in self.labels)
        return tuple((float(place), text) for place, text in enumerate(abbreviated(self.labels)))

    def _coordinate(self, cell: Any) -> float:
        if is_empty(cell):
            return math.nan
        if self.numeric:
            return _float(cell)
        place = self._place(cell)
        return math.nan if place is None else float(place)

    def _place(self, cell: Any) -> int | None:
        text = cell_label(cell)
        if text in self.labels:
            return self.labels.index(text)
        value = _float(text)
        near = (i for i, label in enumerate(self.labels) if math.isclose(_float(label), value, rel_tol=1e-12))
        return next(near, None)


def read_parameters(swept: Sequence[Choices | Range]) -> tuple[Parameter, ...]:
    """The axes of a search space, in the order of the sweep file."""
    from optimize.space import short_names

    names = short_names(parameter.path for parameter in swept)
    return tuple(_of(parameter, names[parameter.path]) for parameter in swept)


def _of(parameter: Choices | Range, name: str) -> Parameter:
    from optimize.space import Range, label

    if isinstance(parameter, Range):
        low, high = float(parameter.low), float(parameter.high)
        return Parameter(parameter, name, (), True, parameter.log, low, high)
    values = parameter.values
    numeric = len(values) > 1 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numeric:
        return Parameter(parameter, name, tuple(map(label, values)), False, False, 0, max(len(values) - 1, 0))
    ordered = sorted(float(value) for value in values if isinstance(value, int | float))
    labels = tuple(label(value) for value in sorted(values, key=float))  # type: ignore[arg-type]
    return Parameter(parameter, name, labels, True, _spans_decades(ordered), ordered[0], ordered[-1])


def _spans_decades(ordered: Sequence[float]) -> bool:
    """Whether numeric choices read better on a logarithmic axis: all positive, over more than a factor of 20."""
    return ordered[0] > 0 and ordered[-1] / ordered[0] > 20


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan
