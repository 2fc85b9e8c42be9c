"""How a metric's numbers are written on charts: accuracies in per cent, their differences in points."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optimize import wording

NAMES = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "val_crossentropy": "validation cross-entropy",
}


@dataclass(frozen=True)
class Metric:
    """A column of the tables, and how it is shown."""

    name: str
    maximize: bool

    @property
    def text(self) -> str:
        """The metric in words."""
        return NAMES[self.name]

    @property
    def scale(self) -> float:
        """What its values are multiplied by where they are drawn."""
        return 100.0 if wording.is_accuracy(self.name) else 1.0

    @property
    def axis(self) -> str:
        """The title of an axis that shows it."""
        return f"{self.text} (%)" if self.scale == 100 else self.text

    @property
    def unit(self) -> str:
        """What a title says of differences: ` (points)`, or nothing."""
        return " (points)" if self.scale == 100 else ""

    def value(self, value: float, precision: float | None = None) -> str:
        """A value with its unit: `98.91 %`, `0.0312`; with two digits of `precision` where that is given."""
        return wording.value_text(self.name, value, precision=precision)

    def difference(self, difference: float) -> str:
        """A difference with its unit: `0.21 points`, `0.0031`."""
        return wording.difference_text(self.name, difference).removesuffix(f" in {self.name}")

    def bare(self, difference: float, precision: float) -> str:
        """A difference without its unit, with two digits of `precision`: `−0.11`."""
        text = wording.difference_text(self.name, difference, precision=precision or None)
        return text.removesuffix(" points").removesuffix(f" in {self.name}")


def number(value: float, digits: int = 3) -> str:
    """A number of no particular unit in few characters, with a true minus: `0.001`, `1e-05`, `12,800`."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    text = f"{value:.{digits}g}"
    return text if "e" in text else text.replace("-", "−")
