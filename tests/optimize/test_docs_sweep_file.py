"""docs/sweep-file.md says what is so: its tables are current, and each of its examples loads."""

import re
from pathlib import Path

import pytest
from loading import loaded, refused

from main.document import parse
from main.yaml12 import flow
from optimize.plan import undecidable
from optimize.reference import tables, updated

DOCUMENT = Path(__file__).parents[2] / "docs" / "sweep-file.md"
TEXT = DOCUMENT.read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def completed(example: str) -> str:
    """An example with the sections that a whole file needs, of which it shows some."""
    sections = parse(example.encode(), "example").data
    defaults = {"data": {"source": "digits"}, "model": {}}
    whole = {**defaults, **sections}
    if not re.search("choices|low:", flow(whole)):
        whole["model"] = {"pooling": {"choices": ["max", "average"]}, **dict(whole["model"])}  # type: ignore[arg-type]
    return "".join(f"{key}: {flow(value)}\n" for key, value in whole.items())


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.split("\n")[1].strip() for example in EXAMPLES])
def test_each_example_loads(example: str) -> None:
    config = loaded(completed(example))
    assert loaded(config.resolved()) == config


def test_every_factor_that_is_compared_can_be_decided() -> None:
    compared = [loaded(completed(example)) for example in EXAMPLES if "compare:" in example]
    assert compared
    assert [undecidable(config) for config in compared] == [None] * len(compared)


def test_the_first_example_is_a_whole_file() -> None:
    assert loaded(EXAMPLES[0]).space.paths == ("model.pooling",)


def test_the_tables_are_current() -> None:
    assert updated(TEXT) == TEXT, "write them anew: python -m optimize.reference docs/sweep-file.md"


def test_every_table_is_shown_once() -> None:
    assert sorted(re.findall(r"<!-- fields: (\w+) -->", TEXT)) == sorted(tables())


def test_the_complaints_shown_are_those_that_are_made() -> None:
    wrong = "data: {source: digits}\nmodel:\n  poolng: {choices: [max, average]}\ntrain:\n  epochs: 0\n"
    shown = re.findall(r"```\n(configs/x.yaml.*?)```", TEXT, re.DOTALL)[0]
    made = "\n".join(str(complaint) for complaint in refused(wrong)) + "\n"
    assert made.replace("x.yaml:", "configs/x.yaml:") == shown
