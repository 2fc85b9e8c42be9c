"""What may stand where a value would: choices, a range, or the winner of another sweep.

The concrete sections know nothing of these: they are taken out of the plain data here, and each leaves the
value in its place that it has first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from main.annotations import KeyPath
from main.checking import Mistake
from main.config import Section
from main.names import Name
from main.yaml12 import Plain, flow

MOST_CHOICES = 200
MOST_STEPS = 10_000
Conditions = Annotated[dict[str, Any], Field(min_length=1)]


class ChoicesForm(Section):
    """Stands where a value would: the parameter takes each of some values."""

    choices: Annotated[
        tuple[Any, ...],
        Field(min_length=1, max_length=MOST_CHOICES, json_schema_extra={"uniqueItems": True}),
    ]
    """The values: numbers, words, booleans, null, lists or mappings."""
    when: Conditions | None = None
    """Values of other swept parameters, by full path, beside which this one counts; a list means any."""


class RangeForm(Section):
    """Stands where a number would: the parameter takes any value between two."""

    low: int | float
    """The least value."""
    high: int | float
    """The largest value."""
    log: bool = False
    """Whether each decade is as likely as the next, rather than each unit."""
    step: Annotated[int, Field(gt=0)] | Annotated[float, Field(gt=0)] | None = None
    """Distance of the values from one another, from `low` on; a grid needs it."""
    when: Conditions | None = None
    """Values of other swept parameters, by full path, beside which this one counts; a list means any."""

    @field_validator("high")
    @classmethod
    def _above_low(cls, value: float, info: ValidationInfo) -> float:
        low = info.data.get("low")
        if low is not None and not low < value:
            hint = f"write `low: {flow(value)}` and `high: {flow(low)}`" if low != value else "write it without a range"
            raise Mistake(f"`low` must be less than `high`, but they are {flow(low)} and {flow(value)}", hint)
        return value

    @field_validator("log")
    @classmethod
    def _of_positive_numbers(cls, value: bool, info: ValidationInfo) -> bool:
        low = info.data.get("low", 1)
        if value and low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, but `low` is {flow(low)}")
        return value

    @field_validator("step")
    @classmethod
    def _fits(cls, value: float | None, info: ValidationInfo) -> float | None:
        low, high = info.data.get("low"), info.data.get("high")
        if value is None or low is None or high is None:
            return value
        if info.data.get("log"):
            raise ValueError("a logarithmic range takes no step")
        span, step = Decimal(repr(high)) - Decimal(repr(low)), Decimal(repr(value))
        if span / step > MOST_STEPS:
            raise ValueError(f"at most {MOST_STEPS:,} steps, but {flow(value)} is smaller than that allows")
        if span % step:
            kind = int if all(isinstance(number, int) for number in (low, high, value)) else float
            raise ValueError(
                f"whole steps of {flow(value)} from {flow(low)} must end at {flow(high)}, but they end at "
                f"{flow(kind(Decimal(repr(high)) - span % step))}"
            )
        return value


class WinnerForm(Section):
    """Stands where a value would: the value with which another sweep's winner was trained."""

    winner: Name
    """The other sweep, whose results lie beside those of this one: results/<name>, as a rule."""
    over: Any = None
    """A choice of that sweep, of one parameter, which stays unless the winner is separable from it."""
    otherwise: Any = None
    """The value as long as that sweep has no verdict; `over`'s where only that is written."""


FORMS: Mapping[str, type[Section]] = {
    "choices": ChoicesForm,
    "low": RangeForm,
    "high": RangeForm,
    "winner": WinnerForm,
}
"""By the key that gives it away, what may stand where a value would."""
FORM_KEYS = tuple(dict.fromkeys(key for form in FORMS.values() for key in form.model_fields))
USAGE = "to sweep a value, write {choices: [...]} or {low: ..., high: ...}; or {winner: SWEEP} in its place"
"""What somebody probably meant who misspelt a form."""


def form_of(value: Plain) -> type[Section] | None:
    """Which of the forms a value is, None where it is an ordinary value."""
    if not isinstance(value, dict):
        return None
    return next((form for key, form in FORMS.items() if key in value), None)


def forms_within(value: Plain) -> Iterator[KeyPath]:
    """Paths below a value at which one of the forms stands."""
    if form_of(value) is not None:
        yield ()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for key, item in items:
        for below in forms_within(item):
            yield (key, *below)
