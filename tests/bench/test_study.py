"""The page of the thirteen questions, from made-up results."""

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
    assert found.chart is not None
    assert found.chart.read_bytes().startswith(b"\x89PNG")
    assert ("The study's max is" in " ".join(found.sentences)) == (outcome == FALLS)


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
    study.main(str(tmp_path / "results"), str(target))
    text = target.read_text()
    assert "| 6 | Which pooling? | max is better | stands |" in text
    assert text.count(f"| {MISSING} |") == 12
    assert "![Which pooling?](study/pooling.png)" in text
    assert (target.parent / "study" / "pooling.png").exists()


def test_every_question_has_its_file_and_its_conclusion_is_among_the_choices() -> None:
    from optimize.config import load_config

    files = Path(__file__).parents[2] / "configs" / "study"
    assert sorted(path.stem for path in files.glob("*.yaml")) == sorted(question.sweep for question in QUESTIONS)
    for question in QUESTIONS:
        config = load_config(files / f"{question.sweep}.yaml")
        (path,) = config.space.paths
        assert config.name == question.sweep
        assert len(config.study.seeds) >= 5
        assert config.question
        for best in question.best:
            assert best in config.space[path].values, (question.sweep, best)
