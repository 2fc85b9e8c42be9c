"""The page of the thirteen questions, from made-up results."""

import re
from pathlib import Path

import pytest
import study
from fake_results import Fake, make
from study import FALLS, MISSING, OPEN, QUESTIONS, STANDS, Question

from optimize.results import Results


def pooling(parent: Path, ahead: float) -> Results:
    return make(
        parent,
        Fake(
            "pooling", "Max or average?", {"model.pooling": {"choices": ["max", "average"]}},
            lambda values, _: 0.97 + (ahead if values["model.pooling"] == "max" else 0.0), study={"seeds": 5},
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("ahead", "outcome"), [(0.02, STANDS), (-0.02, FALLS), (0.0, OPEN)])
def test_a_conclusion_stands_falls_or_stays_open(ahead: float, outcome: str, tmp_path: Path) -> None:
    question = Question("pooling", "Which pooling?", "max is better", ("max",))
    found = study.answer(question, pooling(tmp_path, ahead), tmp_path / "study")
    assert found.outcome == outcome
    assert "5 seeds" in found.sentences[0]
    assert found.interval.endswith("ahead of average" if ahead >= 0 else "behind average")
    assert "points (95 % " in found.interval
    assert found.chart is not None
    assert found.chart.read_bytes().startswith(b"\x89PNG")
    assert found.sentences[1] == f"The study's max is {found.interval}."


def test_no_difference_is_contradicted_by_one_and_never_proved(tmp_path: Path) -> None:
    question = Question("pooling", "Which pooling?", "no difference")
    outcomes = [
        study.answer(question, pooling(tmp_path / str(ahead), ahead), tmp_path / "study").outcome for ahead in (0.02, 0)
    ]
    assert outcomes == [FALLS, OPEN]


def test_rates_agree_within_half_a_decade(tmp_path: Path) -> None:
    results = Results(tmp_path / "learning_rate_range")
    results.folder.mkdir()
    columns = ("configuration", "seeds", "steepest", "suggested", "suggested_low", "suggested_high")
    near = {"configuration": "adam", "seeds": 5, "steepest": 0.01, "suggested": 0.004, "suggested_low": 0.003}
    rows = [near | {"suggested_high": 0.005}, near | {"configuration": "sgd", "suggested_high": 0.01}]
    results.write_rates(columns, rows, ("step",), [])
    results.write_rate_chart(b"png")
    found = study.answer(QUESTIONS[1], results, tmp_path / "study")
    assert found.outcome == FALLS
    assert found.sentences[0] == (
        "adam: 0.004 suggested (0.003 to 0.005 over 5 seeds), steepest at 0.01; the study read 0.01."
    )
    assert found.sentences[1].endswith("the study read 0.1, more than half a decade away.")


def test_the_page_has_all_thirteen_and_says_which_are_missing(tmp_path: Path) -> None:
    pooling(tmp_path / "results", 0.02)
    target = tmp_path / "docs" / "study.md"
    target.parent.mkdir()
    study.main([str(tmp_path / "results"), str(target)])
    text = target.read_text()
    assert re.search(r"\| 6 \| Which pooling\? \| max is better \| \*\*stands\*\* \| \d\.\d\d points \(95 % ", text)
    assert text.count(f"| **{MISSING}** |") == 12
    assert "Lessened: 12 epochs of 10,000 images" in text
    assert "![Which pooling?](study/pooling.png)" in text
    assert (target.parent / "study" / "pooling.png").exists()


def test_every_question_has_its_file_and_its_conclusion_is_among_the_choices() -> None:
    from optimize.config import load_config

    files = Path(__file__).parents[2] / "configs" / "study"
    assert sorted(path.stem for path in files.glob("*.yaml")) == sorted(question.sweep for question in QUESTIONS)
    read = set()
    for question in QUESTIONS:
        config = load_config(files / f"{question.sweep}.yaml")
        (path,) = config.space.paths
        assert config.name == question.sweep
        assert len(config.study.seeds) >= 5
        assert config.question
        read.add(config.base.data)
        epochs, images = config.base.train.epochs, config.base.data.train
        assert f"Lessened: {epochs} epochs of {images:,} images" in study.changed(question)
        for best in question.best:
            assert best in config.space[path].values, (question.sweep, best)
    assert len(read) == 1, "sweeps that read other data cannot be compared"


@pytest.mark.parametrize(("third", "outcome"), [(0.95, STANDS), (0.97, OPEN), (0.98, FALLS)])
def test_a_conclusion_that_names_the_worst_stands_where_that_is_beaten_by_all(
    third: float, outcome: str, tmp_path: Path
) -> None:
    reached = {"max": 0.99, "average": 0.97, "stride": third}
    results = make(
        tmp_path,
        Fake(
            "pooling", "Which?", {"model.pooling": {"choices": list(reached)}},
            lambda values, _: reached[values["model.pooling"]], study={"seeds": 5},
        ),
    )  # fmt: skip
    question = Question("pooling", "Which pooling?", "max is best, stride worst", ("max",), ("stride",))
    assert study.answer(question, results, tmp_path / "study").outcome == outcome
