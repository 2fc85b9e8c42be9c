"""Writes docs/study.md from the results of the thirteen sweeps: `python bench/study.py [RESULTS] [PAGE]`.

Per question the student study's conclusion, our verdict and one chart; no number is written by hand. What has not been
run yet is said to be missing. Charts go into a folder beside the page, of the page's name.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from optimize import charts
from optimize.config import stored_sweep
from optimize.results import Results
from optimize.verdict import Verdict

STANDS, FALLS, OPEN, MISSING = "stands", "does not stand", "cannot be told apart", "not run"
_NEAR = 10**0.5
"""A rate agrees with another that is no more than half a decade away."""


@dataclass(frozen=True)
class Question:
    """One of the thirteen."""

    sweep: str
    asked: str
    concluded: str
    """In the study's words."""
    best: tuple[Any, ...] = ()
    """The choices that the study took for best; none where it saw no difference."""
    worst: tuple[Any, ...] = ()
    """The choices that it took for worst, where it said so."""


RATES = {"rmsprop": 0.01, "nadam": 0.01, "sgd": 0.1, "adadelta": 1.0, "adagrad": 0.1, "adam": 0.01}
"""What the study read off its range test."""
AUGMENTED = {"shear": 0.1, "shift": 0.02, "rotation": 8.0, "zoom": 0.08}
QUESTIONS = (
    Question("kernel_size", "Which kernel size?", "3 × 3 is best", (3,)),
    Question("learning_rate_range", "Which learning rate?", ", ".join(f"{k} {v:g}" for k, v in RATES.items())),
    Question("optimizer", "Which optimizer?", "Adam at 0.01", ({"name": "adam", "learning_rate": 0.01},)),
    Question("loss", "Which loss?", "no difference"),
    Question("batch_size", "Which batch size?", "256", (256,)),
    Question("pooling", "Which pooling?", "max is better", ("max",)),
    Question("conv_layers", "How many convolutions?", "2 are best, 3 worst", ((16, 32),), ((16, 32, 64),)),
    Question("filters", "How many filters?", "64 and 128", ((64, 128),)),
    Question("dense_layers", "How many dense layers?", "1", ((128,),)),
    Question("dense_units", "How many dense units?", "128", ((128,),)),
    Question("dropout", "How much dropout?", "0.2", (0.2,)),
    Question("leaky_relu_slope", "Which slope of the leaky ReLU?", "0.05 to 0.1", (0.05, 0.1)),
    Question("augmentation", "Does augmentation help?", "it helps", (AUGMENTED,)),
)


FILES = Path(__file__).parents[1] / "configs" / "study"


@dataclass(frozen=True)
class Answer:
    """What became of a conclusion."""

    question: Question
    outcome: str
    sentences: tuple[str, ...]
    interval: str = ""
    """By how much the study's choice differs from the best of the others, for a table's cell."""
    chart: Path | None = None


def outcome_of(verdict: Verdict, best: Sequence[str], worst: Sequence[str] = ()) -> str:
    """Whether a conclusion stands: the best choices by label, none for `no difference`, and the worst if it named any.

    It stands where one of the best beats all choices that are not among them, and each of the worst is beaten by all
    others; it does not where each of the best is beaten by one that is not among them, or one of the worst beats
    another. That nothing differs can be contradicted, but no number of seeds shows it.
    """
    beaten = {(pair.better, pair.worse) for pair in verdict.pairs if pair.decided}
    if not best:
        return FALLS if beaten else OPEN
    others = [choice.choice for choice in verdict.choices if choice.choice not in best]
    ranked = [choice.choice for choice in verdict.choices]
    if any(one in worst for one, _ in beaten) or all(any((other, one) in beaten for other in others) for one in best):
        return FALLS
    has_best = bool(others) and any(all((one, other) in beaten for other in others) for one in best)
    has_worst = all((other, one) in beaten for one in worst for other in ranked if other not in worst)
    return STANDS if has_best and has_worst else OPEN


def answer(question: Question, results: Results, pictures: Path) -> Answer:
    """The answer that a sweep's folder holds; its chart is put into `pictures`."""
    if question.sweep == "learning_rate_range":
        return _rates_answer(question, results, pictures)
    content = results.verdict()
    if content is None:
        return Answer(question, MISSING, ("This sweep has not been run.",))
    verdict, config = Verdict.from_dict(content), stored_sweep(results)
    (path,) = config.space.paths
    best, worst = (
        [config.space.configuration_label({path: _as_in(config, path, value)}) for value in values]
        for values in (question.best, question.worst)
    )
    sentence, interval = _against(verdict, best)
    (drawn,) = charts.draw(results, only=["choices"])
    chart = _copied(drawn, pictures / f"{question.sweep}.png")
    return Answer(question, outcome_of(verdict, best, worst), (verdict.sentence, sentence), interval, chart)


def _as_in(config: Any, path: str, value: Any) -> Any:
    """The sweep's own spelling of a value: mappings may name their keys in another order."""
    return next((own for own in config.space[path].values if own == value), value)


def _against(verdict: Verdict, best: Sequence[str]) -> tuple[str, str]:
    """The study's choice and the best of the others, in a sentence and in a cell; the best and the worst of all where
    the study saw no difference."""
    ranked = [choice.choice for choice in verdict.choices]
    if best:
        own = next(choice for choice in ranked if choice in best)
        rival = next(choice for choice in ranked if choice not in best)
        said = "The study's "
    else:
        own, rival, said = ranked[0], ranked[-1], ""
    pair = verdict.pair(own, rival)
    if pair is None:
        return f"{own} and {rival} share no seed.", ""
    points = " to ".join(f"{100 * end:.2f}" for end in (pair.low, pair.high))
    interval = f"{100 * pair.difference:.2f} points (95 % {points}, {pair.n} seeds)"
    way = "ahead of" if pair.better == own else "behind"
    return f"{said}{own} is {interval} {way} {rival}.", f"{interval} {way} {rival}"


def _rates_answer(question: Question, results: Results, pictures: Path) -> Answer:
    table = results.rates()
    if table is None:
        return Answer(question, MISSING, ("This range test has not been run.",))
    sentences, agreed = [], []
    for row in table.itertuples():
        said = RATES[row.configuration]
        agreed.append(row.suggested_low / _NEAR <= said <= row.suggested_high * _NEAR)
        sentences.append(
            f"{row.configuration}: {row.suggested:.2g} suggested ({row.suggested_low:.2g} to {row.suggested_high:.2g} "
            f"over {row.seeds} seeds), steepest at {row.steepest:.2g}; the study read {said:g}"
            + ("." if agreed[-1] else ", more than half a decade away.")
        )
    chart = _copied(results.rates_chart, pictures / f"{question.sweep}.png")
    interval = f"{sum(agreed)} of {len(agreed)} rates within half a decade"
    return Answer(question, STANDS if all(agreed) else FALLS, tuple(sentences), interval, chart)


def changed(question: Question) -> str:
    """What the sweep file says of what differs from the study, from its opening comment."""
    lines = (FILES / f"{question.sweep}.yaml").read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines)]
    return " ".join(comment[2:])  # after the schema and the question


def _copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


def page(answers: Sequence[Answer], beside: Path) -> str:
    """The page in Markdown; charts are named as they lie from the folder `beside`."""
    lines = [
        "# The thirteen questions",
        "",
        '"Recognizing Digits using Neural Networks" (ENSIMAG 2020) put thirteen questions to MNIST, each with one run '
        "a choice, judged on the test set. Here they are asked again: five seeds a choice, on validation images, each "
        "pair compared seed by seed. Fewer epochs and images pay for the seeds, as each question says. The learning "
        "rate is 0.001 wherever it is not the question. A conclusion stands where the study's choice beats every other "
        "one, and does not where another beats it, after Holm's correction; an interval is of its pair alone. All this "
        "holds for these short trainings, which favour what learns fast; what 25 epochs would say was not asked. "
        "Written by `python bench/study.py` from the results of `python -m optimize run configs/study/*.yaml`.",
        "",
        "| | question | the study concluded | that | the study's choice, against the best of the others |",
        "| --- | --- | --- | --- | --- |",
    ]
    for number, one in enumerate(answers, start=1):
        question = one.question
        lines.append(f"| {number} | {question.asked} | {question.concluded} | **{one.outcome}** | {one.interval} |")
    for number, one in enumerate(answers, start=1):
        lines += ["", f"## {number}. {one.question.asked}", ""]
        lines += [f"The study concluded: {one.question.concluded}. That **{one.outcome}**.", ""]
        lines += ["  \n".join(one.sentences), "", changed(one.question)]
        if one.chart is not None:
            lines += ["", f"![{one.question.asked}]({one.chart.relative_to(beside)})"]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="?", type=Path, default=Path("results/study"), help="the sweeps' own folders")
    parser.add_argument("page", nargs="?", type=Path, default=Path("docs/study.md"))
    given = parser.parse_args(arguments)
    pictures = given.page.with_suffix("")
    answers = [answer(question, Results(given.results / question.sweep), pictures) for question in QUESTIONS]
    given.page.write_text(page(answers, given.page.parent), encoding="utf-8")
    print(given.page)


if __name__ == "__main__":
    main()
