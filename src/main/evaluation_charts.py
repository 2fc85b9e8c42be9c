"""An evaluation as pictures: confusion, classes, mistakes, calibration, ROC and precision-recall curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from main.figures import BLUE, FAINT, INK, MUTED, VERMILLION, draw_all, page, shortened, show_image
from main.wording import counted, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from main.evaluation import Evaluation

MAX_MISTAKES = 32
MISTAKES_PER_ROW = 8
SHORT_NAME = 3
"""Letters up to which two classes' names fit above an image on one line."""
MAX_PANELS = 20
PANEL_NAME = 15
"""Letters of a class's name that fit above a panel beside four others."""
NUMBERED_CLASSES = 30
"""Up to so many classes, each cell of the confusion matrix holds its number."""
NAMED_CLASSES = 100
"""Up to so many classes, each has its name on an axis: a page of a thousand is larger than any picture may be."""


class Curve(NamedTuple):
    """One class against the rest, at every threshold of its probability."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float


def draw(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write every chart of an evaluation as a PNG; gives their paths.

    Raises:
        OSError: the folder cannot be written.
    """
    drawings: dict[str, Callable[[], Figure]] = {
        "confusion": lambda: confusion(evaluation),
        "classes": lambda: classes(evaluation),
        "mistakes": lambda: mistakes(evaluation),
        "calibration": lambda: calibration(evaluation),
        "roc": lambda: roc(evaluation),
        "precision_recall": lambda: precision_recall(evaluation),
    }
    return draw_all(folder, drawings, [evaluation.source, *evaluation.classes])


def _tested(evaluation: Evaluation) -> str:
    return f"{counted(len(evaluation.labels), 'test image')} of {Path(evaluation.source).name}"


def confusion(evaluation: Evaluation) -> Figure:
    """Images by true and predicted class; the right ones grey, so that mistakes stand out."""
    counts, n = evaluation.confusion, len(evaluation.classes)
    wrong = np.where(np.eye(n, dtype=bool), 0, counts)
    side = min(9.0, 2.2 + 0.48 * n)
    mistakes = int(wrong.sum())
    figure, grid = page(
        f"{mistakes:,} of {counted(len(evaluation.labels), 'image')} {'is' if mistakes == 1 else 'are'} "
        "taken for another class",
        f"{_tested(evaluation)}; {_most_confused(wrong, evaluation.classes)}",
        width=max(6.4, side + 0.6),
        height=side,
    )
    axes: Axes = grid[0, 0]
    shades = np.sqrt(wrong / max(1, wrong.max()))  # else a few common mistakes would hide all others
    axes.imshow(np.where(wrong, shades, np.nan), cmap="Oranges", vmin=-0.15, vmax=1.15)
    axes.grid(visible=False)
    axes.set(xlabel="predicted class", ylabel="true class")
    if n > NAMED_CLASSES:
        axes.set_xticks([])
        axes.set_yticks([])
        return figure
    for label in range(n):
        axes.add_patch(_cell(label, label))
    if n <= NUMBERED_CLASSES:
        for row, column in zip(*np.nonzero(counts), strict=True):
            on_dark = row != column and shades[row, column] > 0.75
            axes.text(
                column, row, f"{counts[row, column]:,}", ha="center", va="center", size=9 if n <= 12 else 6.5,
                color="white" if on_dark else MUTED if row == column else INK,
            )  # fmt: skip
    names = [shortened(name) for name in evaluation.classes]
    axes.set_xticks(range(n), names)
    if max(map(len, names)) > 3:
        turned = 45 if n <= NUMBERED_CLASSES else 90
        axes.set_xticks(range(n), names, rotation=turned, ha="right", va="center", rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for between in np.arange(n - 1) + 0.5:
        axes.axhline(between, color="white", linewidth=1.2)
        axes.axvline(between, color="white", linewidth=1.2)
    return figure


def _most_confused(wrong: NDArray[np.int64], classes: Sequence[str]) -> str:
    """What is said of the mistakes, (classes, classes) by true and predicted class."""
    true, taken = (classes[int(place)] for place in np.unravel_index(wrong.argmax(), wrong.shape))
    if not wrong.any():
        return "no image is taken for another class"
    if wrong.sum() == 1:
        return f"{true} is taken for {taken}"
    if wrong.max() == 1:
        return "no two of them are mistaken alike"
    others = int((wrong == wrong.max()).sum()) - 1
    also = {0: "", 1: ", and one other pair as often"}.get(others, f", and {others:,} other pairs as often")
    return f"most often {true} is taken for {taken} ({wrong.max():,} times){also}"


def _cell(row: int, column: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, color="#eceff2", linewidth=0)


def classes(evaluation: Evaluation) -> Figure:
    """Precision and recall of each class with their intervals."""
    accuracy, scores = evaluation.accuracy, evaluation.per_class
    some = "each class"
    if len(scores) > NAMED_CLASSES:
        some = f"the {NAMED_CLASSES} of {len(scores):,} classes with the lowest F1"
        f1 = [score.f1 if score.f1 == score.f1 else 0.0 for score in scores]
        worst = sorted(range(len(scores)), key=f1.__getitem__)[:NAMED_CLASSES]
        scores = tuple(scores[label] for label in sorted(worst))
    figure, grid = page(
        f"Accuracy {accuracy}",
        f"{_tested(evaluation)}; of {some} precision and recall, with 95 % Wilson intervals",
        width=7,
        height=1.1 + 0.34 * len(scores),
    )
    axes: Axes = grid[0, 0]
    looks = (("precision", -0.14, BLUE, "o"), ("recall", 0.14, VERMILLION, "s"))
    for kind, offset, colour, marker in looks:
        shares = [getattr(score, kind) for score in scores]
        places = np.arange(len(scores)) + offset
        low, value, high = (np.array([getattr(share, part) for share in shares]) for part in ("low", "value", "high"))
        axes.hlines(places, low, high, color=colour, linewidth=1.6, alpha=0.55)
        axes.plot(value, places, marker, color=colour, markersize=5.5, label=kind)
    axes.axvline(accuracy.value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(evaluation.accuracy.value, -0.62, "accuracy ", ha="right", va="center", color=MUTED, size=8.5)
    names = [f"{shortened(score.name)}  ({score.recall.n:,})" for score in scores]
    axes.set_yticks(range(len(scores)), names)
    axes.set_ylim(len(scores) - 0.4, -0.9)
    axes.set_xlim(right=1 + 0.01 * (1 - axes.get_xlim()[0]))
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.4g} %")
    axes.set_ylabel("class (its test images)")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.0 + 0.36 / (1.1 + 0.34 * len(scores))), ncols=2)
    return figure


def mistakes(evaluation: Evaluation) -> Figure:
    """The wrong answers that the model was most sure of."""
    every = evaluation.mistakes()
    shown = every[:MAX_MISTAKES]
    if len(shown) == 0:
        return _nothing("No mistakes", f"{_tested(evaluation)}; every one is given its true class")
    title = (
        "Every mistake" if len(shown) == len(every) else f"The {len(shown)} most confident of {len(every):,} mistakes"
    )
    return gallery(
        evaluation,
        shown,
        title,
        f"{_tested(evaluation)}; the true class, the predicted one, and how sure the model was",
    )


def gallery(evaluation: Evaluation, places: NDArray[np.int64], title: str, subtitle: str) -> Figure:
    """Images in a grid, each with its true and its predicted class and the probability of that."""
    columns = min(MISTAKES_PER_ROW, len(places))
    rows = math.ceil(len(places) / columns)
    short = max(map(len, evaluation.classes)) <= SHORT_NAME
    figure, grid = page(
        title, subtitle, width=max(1.12 * columns, 6.4), height=(1.42 if short else 1.6) * rows,
        rows=rows, columns=columns,
    )  # fmt: skip
    for axes, place in zip(grid.flat, places, strict=False):
        show_image(axes, evaluation.images[place])
        labels = evaluation.labels[place], evaluation.predicted[place]
        true, predicted = (shortened(evaluation.classes[label], 14) for label in labels)
        axes.set_title(
            f"{true} → {predicted}" if short else f"{true}\n→ {predicted}", size=10 if short else 7.5,
            loc="center", pad=3, color=INK if evaluation.correct[place] else VERMILLION, weight="bold",
        )  # fmt: skip
        axes.set_xlabel(percent(evaluation.confidence[place], 1), size=8.5, labelpad=2)
    for axes in grid.flat[len(places) :]:
        axes.set_visible(False)
    return figure


def _nothing(title: str, subtitle: str) -> Figure:
    figure, grid = page(title, subtitle, width=6.4, height=0.4)
    grid[0, 0].set_visible(False)
    return figure


def calibration(evaluation: Evaluation) -> Figure:
    """How often the model is right when it is so sure, above how often it is so sure."""
    from matplotlib.ticker import PercentFormatter

    found = evaluation.calibration
    filled = [place for place, accuracy in enumerate(found.accuracy) if accuracy.n]
    low, value, high, n = (
        np.array([getattr(found.accuracy[place], part) for place in filled]) for part in ("low", "value", "high", "n")
    )
    confidence = found.confidence[filled]
    figure, grid = page(
        f"Expected calibration error {percent(found.error)}",
        f"{_tested(evaluation)}, in {len(found.accuracy)} bins of confidence; 95 % Wilson intervals",
        width=6.4, height=5.2, rows=2, sharex=True, height_ratios=(3.2, 1),
    )  # fmt: skip
    upper, lower = grid[:, 0]
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    upper.text(0.64, 0.585, "as sure as it is right", color=MUTED, size=8.5, rotation=45, rotation_mode="anchor",
               transform_rotates_text=True)  # fmt: skip
    upper.vlines(confidence, low, high, color=BLUE, alpha=0.5, linewidth=2)
    upper.plot(confidence, value, "o-", color=BLUE, markersize=5.5)
    upper.set(ylabel="accuracy", ylim=(-0.02, 1.02), xlim=(0, 1.005))
    width = found.edges[1] - found.edges[0]
    lower.bar(found.edges[filled] + width / 2, n, width=0.86 * width, color=BLUE)
    lower.set(xlabel="confidence", ylabel="images", yscale="log", ylim=(0.7, None))
    lower.yaxis.set_major_formatter("{x:,.0f}")
    lower.yaxis.minorticks_off()
    for axes in (upper, lower):
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    return figure


def roc(evaluation: Evaluation) -> Figure:
    """ROC curves, each class against the rest."""
    curves = roc_curves(evaluation)
    finest = 1 / len(evaluation.labels)
    figure = _panels(
        curves,
        "ROC curve of each class against the rest",
        f"{_tested(evaluation)}; the area under each curve; false positives on a logarithmic scale",
        note=(0.6, 0.08),
        xlabel="false positive rate",
        ylabel="true positive rate",
    )
    for axes in figure.axes:
        axes.set_xscale("log")
        axes.set_xlim(finest / 1.5, 1)
        axes.set_ylim(_floor(curve.y[curve.x >= 1e-2].min(initial=1.0) for curve in curves), 1.01)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    return figure


def roc_curves(evaluation: Evaluation) -> list[Curve]:
    """False positive rate against true positive rate of each class that has images."""
    from sklearn.metrics import roc_curve

    curves = []
    for label, scores in enumerate(evaluation.per_class):
        if np.isfinite(scores.roc_auc):
            x, y, _ = roc_curve(evaluation.labels == label, evaluation.probabilities[:, label])
            # A rate of zero has no place on a logarithmic scale: below half an image it is as good as none.
            curves.append(Curve(scores.name, np.maximum(x, 0.5 / len(evaluation.labels)), y, scores.roc_auc))
    return curves


def precision_recall(evaluation: Evaluation) -> Figure:
    """Precision-recall curves, each class against the rest; the corner where they bend."""
    figure = _panels(
        precision_recall_curves(evaluation),
        "Precision against recall of each class",
        f"{_tested(evaluation)}; the average precision of each",
        note=(0.07, 0.08),
        xlabel="recall",
        ylabel="precision",
    )
    low = _floor(score.f1 - 0.1 for score in evaluation.per_class if np.isfinite(score.f1))
    for axes in figure.axes:
        axes.set(xlim=(low, 1.005), ylim=(low, 1.005))
    return figure


def _floor(figures: Iterable[float]) -> float:
    """Where an axis starts that shows the least of these: a multiple of a tenth, at most 0.9."""
    return max(0.0, math.floor(10 * min([0.99, *figures])) / 10)


def precision_recall_curves(evaluation: Evaluation) -> list[Curve]:
    """Recall against precision of each class that has images."""
    from sklearn.metrics import precision_recall_curve

    curves = []
    for label, scores in enumerate(evaluation.per_class):
        if np.isfinite(scores.average_precision):
            y, x, _ = precision_recall_curve(evaluation.labels == label, evaluation.probabilities[:, label])
            curves.append(Curve(scores.name, x, y, scores.average_precision))
    return curves


def _panels(
    curves: list[Curve], title: str, subtitle: str, *, xlabel: str, ylabel: str, note: tuple[float, float]
) -> Figure:
    """A panel for each class, its curve over those of all others; of many classes those with the least area, over
    one another's.
    """
    shown = curves
    if len(curves) > MAX_PANELS:
        worst = sorted(range(len(curves)), key=lambda place: curves[place].area)[:MAX_PANELS]
        shown = [curves[place] for place in sorted(worst)]
        subtitle += f"; the {MAX_PANELS} smallest of {len(curves)}"
    if not shown:
        return _nothing(title, "no class can be told from the rest: all test images are of one class")
    columns = min(5, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure, grid = page(
        title, subtitle, width=max(6.4, 2.0 * columns), height=2.0 * rows + 0.4, rows=rows, columns=columns,
        sharex=True, sharey=True,
    )  # fmt: skip
    for axes, curve in zip(grid.flat, shown, strict=False):
        for other in curves if len(curves) <= NAMED_CLASSES else shown:
            axes.plot(other.x, other.y, color=FAINT, linewidth=0.7, drawstyle="steps-post")
        axes.plot(curve.x, curve.y, color=BLUE, linewidth=2, drawstyle="steps-post")
        axes.set_title(shortened(curve.name, PANEL_NAME), weight="bold")
        axes.text(*note, f"{curve.area:.4f}", transform=axes.transAxes, color=BLUE, weight="bold")
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    figure.supxlabel(xlabel, size=10, color=MUTED)
    figure.supylabel(ylabel, size=10, color=MUTED)
    return figure
