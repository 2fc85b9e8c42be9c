import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from main.document import parse
from main.yaml12 import NotANumber, flow, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("+3", 3),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("-", "-"),
        ("+.", "+."),
        ("1e", "1e"),
        ("relu", "relu"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e400", "-1e999", "9" * 5000, "1." + "0" * 200])
def test_what_cannot_be_computed_with_is_no_number(text: str) -> None:
    with pytest.raises(NotANumber):
        scalar(text)


def test_a_long_word_that_begins_with_a_digit_is_a_word() -> None:
    assert scalar("3d" * 80) == "3d" * 80


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("max", "max"),
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        ((32, 64), "[32, 64]"),
        ({"name": "sgd", "learning_rate": 0.1}, "{name: sgd, learning_rate: 0.1}"),
        (None, "null"),
        (True, "true"),
        ((), "[]"),
        ("true", '"true"'),
        ("1e-3", '"1e-3"'),
        ("a: b", '"a: b"'),
        ("", '""'),
        ("Which is best?", "Which is best?"),
    ],
)
def test_flow_writes_as_a_person_would(value: object, text: str) -> None:
    assert flow(value) == text


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]))
scalars = st.none() | st.booleans() | st.integers(-(10**50), 10**50) | words
scalars |= st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(words.filter(str.strip), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_flow_writes_is_read_back(value: Any) -> None:
    read = parse(f"value: {flow(value)}\n".encode(), "x.yaml").data["value"]
    assert read == value
    if isinstance(value, float):
        assert math.copysign(1, value) == math.copysign(1, read)  # type: ignore[arg-type]
