"""Long choices on axes: short names that are told apart, and the key that explains them."""

from __future__ import annotations

from pathlib import Path

import fake_results
import pytest
from chart_texts import faults
from fake_results import Fake

from optimize.charts.abbreviations import abbreviated, key
from optimize.charts.catalog import CATALOG
from optimize.charts.evidence import Evidence, read_evidence
from optimize.charts.making import ABBREVIATING, own_texts, words_of
from optimize.charts.page import Page, drawing_rules

SGD = "{name: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}"
SLOW = "{name: sgd, learning_rate: 0.01}"
OPTIMIZERS = [
    {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "sgd", "learning_rate": 0.01},
    {"name": "adam", "beta_1": 0.95},
]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    fake = Fake(
        "long",
        "Which optimizer, which filters?",
        {
            "train.optimizer": {"choices": OPTIMIZERS},
            "model.filters": {"choices": [[32], [32, 64], [16, 16, 32, 32, 64, 64]]},
        },
        lambda values, _: 0.9 + 0.01 * len(values["model.filters"]),
        study={"seeds": 2},
    )
    folder: Path = tmp_path_factory.mktemp("sweep")
    return read_evidence(fake_results.make(folder, fake))


def test_mappings_go_by_their_name_and_are_numbered_where_it_is_shared() -> None:
    adam = "{name: adam, beta_1: 0.95}"
    assert abbreviated([SGD, adam, SLOW]) == ("sgd (1)", "adam", "sgd (2)")


def test_short_labels_stay_and_long_lists_lose_their_end() -> None:
    assert abbreviated(["max", "[16, 16, 32, 32, 64, 64]"]) == ("max", "[16, 16, 3…")


def test_a_short_label_that_an_abbreviation_equals_is_kept_apart() -> None:
    assert abbreviated(["sgd", SLOW]) == ("sgd", "sgd (1)")


def test_the_key_says_what_was_abbreviated_and_nothing_else(evidence: Evidence) -> None:
    said = key({parameter.name: parameter.labels for parameter in evidence.parameters})
    assert f"optimizer: sgd (1) is {SGD}; sgd (2) is {SLOW}; adam is {{name: adam, beta_1: 0.95}}." in said
    assert "[32, 64] is" not in said


@pytest.mark.parametrize("name", [name for name in ABBREVIATING if name != "contour"])
@pytest.mark.parametrize("framed", [True, False])
def test_charts_of_long_choices_are_legible(evidence: Evidence, name: str, framed: bool) -> None:
    numbers = CATALOG[name].compute(evidence)
    with drawing_rules(own_texts(evidence)):
        page = Page(words_of(numbers, evidence, name) if framed else None)
        CATALOG[name].draw(numbers, page)
        page.render("svg")
        assert faults(page.figure) == []
