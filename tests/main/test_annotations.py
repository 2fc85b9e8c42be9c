from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field

from main.annotations import annotation_at, kinds, section_of, tags, value_at, words


class Cat(BaseModel):
    name: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    name: Literal["dog"] = "dog"
    tricks: tuple[str, ...] = ()


class Home(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="name")] = Cat()
    rooms: int | tuple[int, ...] | None = None
    open: Annotated[Cat, BeforeValidator(lambda value: value, json_schema_input_type=int | Cat)] = Cat()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("rooms",), {int, tuple, type(None)}),
        (("rooms", 0), {int}),
        (("pet",), {dict}),
        (("pet", "tricks"), {tuple}),
        (("pet", "tricks", 3), {str}),
        (("pet", "name"), {str}),
        (("open",), {int, dict}),
        (("pet", "lives"), set()),
        (("garden",), set()),
        (("rooms", "x"), set()),
    ],
)
def test_kinds_of_value_that_may_stand_at_a_path(path: tuple[str | int, ...], expected: set[type]) -> None:
    data = {"pet": {"name": "dog"}}
    assert kinds(annotation_at(Home, path, data)) == expected  # type: ignore[arg-type]


def test_a_union_of_sections_is_told_apart_by_name() -> None:
    assert section_of(Cat | Dog, {"name": "dog"}) is Dog
    assert section_of(Cat | Dog, {"name": "cow"}) is None
    assert section_of(Cat | None, {}) is Cat
    assert tags(Cat | Dog) == ("cat", "dog")


def test_words_are_those_of_literals_within_unions() -> None:
    assert words(Literal["a", "b"] | int | Literal["c"]) == ("a", "b", "c")


def test_value_at_is_none_where_there_is_none() -> None:
    data = {"a": ({"b": 1},)}
    assert value_at(data, ("a", 0, "b")) == 1
    assert value_at(data, ("a", 7, "b")) is None
    assert value_at(data, ("a", 0, "b", "c")) is None
