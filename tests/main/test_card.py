from typing import Any

import pytest

from main.card import section_of


@pytest.mark.parametrize("card", [None, {}, {"data": None}, {"data": [1]}, {"data": "mnist"}])
def test_a_section_that_a_card_lacks_or_has_damaged_is_empty(card: Any) -> None:
    assert section_of(card, "data") == {}


def test_a_section_is_given_as_it_stands() -> None:
    assert section_of({"data": {"source": "mnist", "colour": 7}}, "data") == {"source": "mnist", "colour": 7}
