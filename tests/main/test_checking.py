from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from main.checking import check
from main.config import Section
from main.nearest import did_you_mean, nearest_to
from main.yaml12 import scalar


class Inner(Section):
    """A section in a section."""

    size: Annotated[int, Field(ge=1, lt=100)]
    """How large it is."""


class Defaults(Section):
    """A section that may be left out."""

    size: int = 1


class Outer(Section):
    """A section of every kind of field."""

    pooling: Literal["max", "average"] = "max"
    rate: Annotated[float, Field(gt=0)] = 1.0
    sizes: int | tuple[int, ...] = 1
    on: bool = False
    label: Annotated[str, Field(min_length=2)] = "ab"
    inner: Inner | None = None
    names: tuple[Any, ...] = ()
    numbers: tuple[int, ...] = ()
    always: Defaults = Defaults()


def said(**data: Any) -> tuple[str, str, str]:
    section, problems = check(Outer, data)
    assert section is None
    assert len(problems) == 1
    return ".".join(map(str, problems[0].path)), problems[0].message, problems[0].hint


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"poolng": 1}, ("poolng", "unknown key; did you mean 'pooling'?", "allowed here: always, inner, label")),
        ({"zzz": 1}, ("zzz", "unknown key", "allowed here: ")),
        ({"pooling": "Max"}, ("pooling", "unknown value 'Max'; did you mean 'max'?", "allowed: max, average")),
        ({"pooling": 3}, ("pooling", "expected max or average, but read the number 3", "")),
        ({"rate": "x"}, ("rate", "expected a number, but read the word 'x'", "")),
        ({"rate": True}, ("rate", "expected a number, but read the boolean true", "")),
        ({"rate": None}, ("rate", "expected a number, but read null", "")),
        ({"rate": 0}, ("rate", "must be greater than 0, but read 0", "")),
        ({"rate": "1e-3"}, ("rate", "expected a number, but read the word '1e-3'", "write 1e-3 without quotes")),
        ({"rate": "12.5 %"}, ("rate", "expected a number, but read the word '12.5 %'", "write 0.125")),
        ({"rate": "10_000"}, ("rate", "expected a number, but read the word '10_000'", "write 10000")),
        ({"rate": "10,000"}, ("rate", "expected a number, but read the word '10,000'", "write 10000")),
        ({"rate": "0,001"}, ("rate", "expected a number, but read the word '0,001'", "write 0.001, with a point")),
        ({"rate": "1,5"}, ("rate", "expected a number, but read the word '1,5'", "write 1.5, with a point")),
        ({"sizes": "x"}, ("sizes", "expected a whole number or a list, but read the word 'x'", "")),
        (
            {"sizes": "(3, 5)"},
            ("sizes", "expected a whole number or a list, but read the word '(3, 5)'", "write [3, 5]"),
        ),
        ({"sizes": "(3, 3)"}, ("sizes", "expected a whole number or a list, but read the word '(3, 3)'", "write 3")),
        ({"sizes": 3.0}, ("sizes", "expected a whole number or a list, but read the number 3.0", "write 3")),
        ({"names": "a, b"}, ("names", "expected a list, but read the word 'a, b'", "write [a, b]")),
        ({"numbers": 3}, ("numbers", "expected a list, but read the number 3", "write [3]")),
        ({"numbers": "max"}, ("numbers", "expected a list, but read the word 'max'", "")),
        ({"sizes": (1, "x")}, ("sizes.1", "expected a whole number, but read the word 'x'", "")),
        ({"sizes": 1.5}, ("sizes", "expected a whole number or a list, but read the number 1.5", "")),
        ({"on": 1}, ("on", "expected true or false, but read the number 1", "")),
        ({"on": "no"}, ("on", "expected true or false, but read the word 'no'", "write false; no is a word in YAML")),
        ({"label": 3}, ("label", "expected a word, but read the number 3", 'write "3", in quotes')),
        ({"label": "a"}, ("label", "must have at least 2 characters, but read the word 'a'", "")),
        ({"inner": 3}, ("inner", "expected a mapping, but read the number 3", "write {size: 3}")),
        ({"inner": 300}, ("inner", "expected a mapping, but read the number 300", "its keys are size")),
        ({"inner": False}, ("inner", "expected a mapping, but read the boolean false", "write null for none")),
        ({"inner": "none"}, ("inner", "expected a mapping, but read the word 'none'", "write null for none")),
        ({"always": None}, ("always", "expected a mapping, but read null", "write {} for its defaults")),
        ({"inner": {}}, ("inner.size", "required, but not written", "How large it is.")),
        ({"inner": {"size": 100}}, ("inner.size", "must be less than 100, but read 100", "")),
        ({"inner": {"size": 10**30}}, ("inner.size", f"must be less than 100, but read {10**30}", "")),
        ({"inner": {"sice": 1, "size": 1}}, ("inner.sice", "unknown key; did you mean 'size'?", "allowed here: size")),
    ],
)
def test_the_rule_then_what_was_read(data: dict[str, Any], expected: tuple[str, str, str]) -> None:
    path, message, hint = said(**data)
    assert (path, message) == expected[:2]
    assert hint.startswith(expected[2])


def test_all_problems_come_at_once_below_the_path_that_is_given() -> None:
    _, problems = check(Outer, {"rate": 0, "on": 1, "x": 2}, ("train",))
    assert [problem.path for problem in problems] == [("train", "rate"), ("train", "on"), ("train", "x")]
    assert [problem.at_key for problem in problems] == [False, False, True]


def test_whole_numbers_are_numbers() -> None:
    section, problems = check(Outer, {"rate": 2})
    assert not problems
    assert section == Outer(rate=2.0)


def test_a_long_value_is_shown_in_part() -> None:
    assert len(said(rate="x" * 5000)[1]) < 120
    assert len(said(pooling="x" * 5000)[1]) < 120


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert did_you_mean("Leaky_Relu", ["relu", "leaky_relu"]) == "; did you mean 'leaky_relu'?"
    assert did_you_mean("qqq", ["relu"]) == ""


@pytest.mark.parametrize("written", ["1e-3", "12.5", "3"])
def test_a_hint_is_itself_read_as_a_number(written: str) -> None:
    hint = said(rate=written)[2].removeprefix("write ").removesuffix(" without quotes")
    assert check(Outer, {"rate": scalar(hint)})[1] == []


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("lr", ["loss", "learning_rate"], "learning_rate"),
        ("mean_squared_error", ["mae", "mse"], "mse"),
        ("sparse_categorical_crossentropy", ["focal", "crossentropy"], "crossentropy"),
        ("TPESampler", ["grid", "tpe"], "tpe"),
        ("None", ["none", "cosine"], "none"),
        ("none", ["cosine"], None),
        ("", ["batch_norm", "network"], None),
        ("l2x", ["l2"], "l2"),
        ("zzzl2", ["l2"], None),
    ],
)
def test_what_was_meant_is_spelt_alike_or_is_short_for_it_or_a_part(
    word: str, known: list[str], meant: str | None
) -> None:
    assert nearest_to(word, known) == meant
