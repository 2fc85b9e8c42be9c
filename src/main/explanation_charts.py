"""An explanation as pictures: filters, feature maps, saliency, deep features, the hardest images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from main.evaluation_charts import calibration, gallery
from main.figures import (
    COLOURS,
    INK,
    MARKERS,
    as_pixels,
    bare,
    colour_of,
    diverging,
    draw_all,
    marker_of,
    page,
    shortened,
    show_image,
)
from main.wording import counted, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from main.evaluation import Evaluation
    from main.explanation import Features, Filters, Saliency, Stage

FILTERS_PER_ROW = 16
MAX_FILTERS = 64
HARDEST = 24
SHORT_NAME, LONG_NAME = 8, 14
"""Letters of a class's name that fit above an image of saliency beside how sure the model is, and in a line alone."""


def draw_image(folder: Path, filters: Filters | None, stages: Sequence[Stage], seen: Saliency) -> tuple[Path, ...]:
    """Write what there is to draw of one image; gives the files' paths."""
    answer = f"the model says {seen.answer}, {percent(seen.confidence, 1)} sure"
    drawings = _network(filters, stages, seen, answer)
    drawings["saliency"] = lambda: saliency([seen], "Where the answer comes from", answer)
    return draw_all(folder, drawings, [seen.answer])


def draw_test(
    folder: Path,
    filters: Filters | None,
    stages: Sequence[Stage],
    seen: Sequence[Saliency],
    features: Features,
    evaluation: Evaluation,
) -> tuple[Path, ...]:
    """Write what there is to draw of a test set; gives the files' paths."""
    source = Path(evaluation.source).name
    drawings = _network(filters, stages, seen[0], f"a test image of {source}, taken for {seen[0].answer}")
    drawings |= {
        "saliency": lambda: saliency(
            seen, "Where the answers come from", f"a typical test image of each class of {source}"
        ),
        "features": lambda: deep_features(features, evaluation),
        "hardest": lambda: hardest(evaluation),
        "calibration": lambda: calibration(evaluation),
    }
    return draw_all(folder, drawings, [evaluation.source, *evaluation.classes])


def _network(
    filters: Filters | None, stages: Sequence[Stage], seen: Saliency, what: str
) -> dict[str, Callable[[], Figure]]:
    drawings: dict[str, Callable[[], Figure]] = {}
    if filters is not None:
        drawings["filters"] = lambda: first_layer(filters)
    if stages:
        drawings["feature_maps"] = lambda: feature_maps(stages, seen, what)
    return drawings


def first_layer(filters: Filters) -> Figure:
    """Each filter of the first layer: blue where it wants dark, orange where it wants light, white where it
    cares not.
    """
    shown = filters.weights[:MAX_FILTERS]
    columns = min(FILTERS_PER_ROW if len(shown) > 10 else 5, len(shown))
    rows = math.ceil(len(shown) / columns)
    n, height, width, channels = filters.weights.shape
    some = "" if len(shown) == n else f"the first {len(shown)} of "
    meaning = (
        "in colour, around grey" if channels == 3 else "orange weighs light up, blue weighs it down, white ignores it"
    )
    tile = 0.55 if columns > 10 else 1.25
    figure, grid = page(
        "What the first layer looks for",
        f"{some}{counted(n, 'filter')} of {filters.layer}, {height} × {width} pixels: {meaning}",
        width=max(6.4, tile * columns + 0.4), height=tile * rows + 0.1, rows=rows, columns=columns,
    )  # fmt: skip
    largest = float(np.abs(shown).max()) or 1.0
    for axes, weights in zip(grid.flat, shown, strict=False):
        if channels == 3:
            show_image(axes, 0.5 + weights / (2 * largest))
        else:
            show_image(axes, weights.mean(axis=-1), cmap=diverging(), vmin=-largest, vmax=largest)
        axes.spines[:].set(visible=True, color="#d7dce1", linewidth=0.8)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    return figure


def feature_maps(stages: Sequence[Stage], seen: Saliency, what: str) -> Figure:
    """The image, then a row for each layer: its liveliest maps, dark where nothing answers."""
    columns = max(4, *(len(stage.maps) for stage in stages))
    figure, grid = page(
        "What each layer makes of the image",
        f"{what}; of each layer the {columns} maps that vary most, bright where they answer",
        width=1.1 * columns + 1.2, height=1.08 * (len(stages) + 1), rows=len(stages) + 1, columns=columns,
    )  # fmt: skip
    show_image(grid[0, 0], seen.image)
    grid[0, 0].set_ylabel("image", rotation=0, ha="right", va="center", color=INK)
    for axes in grid[0, 1:]:
        axes.set_visible(False)
    for row, stage in enumerate(stages, start=1):
        each = stage.maps[0].size > 1  # by itself a single pixel would always be dark
        pixels = [as_pixels(values) for values in stage.maps] if each else as_pixels(stage.maps)
        for axes, values in zip(grid[row], pixels, strict=False):
            show_image(axes, values, cmap="cividis", vmin=0, vmax=1)
        for axes in grid[row, len(stage.maps) :]:
            axes.set_visible(False)
        height, width = stage.maps.shape[1:]
        label = f"{shortened(stage.layer, 22)}\n{stage.n_maps} maps of {height} × {width}"
        grid[row, 0].set_ylabel(label, rotation=0, ha="right", va="center", size=9, color=INK)
    return figure


def saliency(seen: Sequence[Saliency], title: str, subtitle: str) -> Figure:
    """Images above the pixels that their answers hang on; a single one beside them."""
    columns = min(5, len(seen))
    shape = (1, 2) if len(seen) == 1 else (2 * math.ceil(len(seen) / columns), columns)
    figure, grid = page(
        title, f"{subtitle}; bright pixels are those that the answer changes with most (SmoothGrad)",
        width=max(6.4, 1.5 * columns), height=3.2 if len(seen) == 1 else 1.58 * shape[0],
        rows=shape[0], columns=shape[1],
    )  # fmt: skip
    for axes in grid.flat:
        bare(axes)
    beside = len(seen) == 1 or max(len(one.answer) for one in seen) <= SHORT_NAME
    for number, one in enumerate(seen):
        row, column = 2 * (number // columns), number % columns
        above, below = grid.flat if len(seen) == 1 else (grid[row, column], grid[row + 1, column])
        show_image(above, one.image)
        told = f"{shortened(one.answer)}  " if beside else f"{shortened(one.answer, LONG_NAME)}\n"
        above.set_title(
            f"{told}{percent(one.confidence, 0)}", size=None if beside else 9, loc="center", weight="bold", pad=4
        )
        show_image(below, as_pixels(one.pixels), cmap="inferno")
        outline = one.image.mean(axis=-1)
        if outline.min() < outline.max():
            level = (float(outline.min()) + float(outline.max())) / 2
            below.contour(outline, levels=[level], colors="white", linewidths=0.9, alpha=0.75)
    return figure


def deep_features(features: Features, evaluation: Evaluation) -> Figure:
    """Each test image as a point, its class as colour and marker; mistakes are ringed."""
    method = {"tsne": "t-SNE", "pca": "PCA"}[features.method]
    explained = "" if features.explained is None else f", {percent(features.explained, 0)} of the variance"
    wrong = ~evaluation.correct[features.places]
    alike = "; they are all alike" if (features.points == features.points[0]).all() else ""
    figure, grid = page(
        "How the model tells the classes apart",
        f"{len(features.places):,} test images as {features.layer} has them, {features.width:,} dimensions brought to "
        f"two by {method}{explained}{alike}; {_ringed(int(wrong.sum()))}",
        width=7.4, height=6.4,
    )  # fmt: skip
    axes = grid[0, 0]
    labels = evaluation.labels[features.places]
    for label, name in enumerate(evaluation.classes):
        x, y = features.points[labels == label].T
        axes.scatter(
            x, y, s=13, color=colour_of(label), marker=marker_of(label), alpha=0.75, linewidth=0,
            label=shortened(name),
        )  # fmt: skip
    axes.scatter(*features.points[wrong].T, s=62, facecolor="none", edgecolor=INK, linewidth=1)
    if len(evaluation.classes) <= 12:
        _name_clusters(features, evaluation, axes)
    elif len(evaluation.classes) <= len(COLOURS) * len(MARKERS):  # of more some look alike
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), ncols=math.ceil(len(evaluation.classes) / 24))
    axes.set_aspect("equal", adjustable="datalim")
    bare(axes)
    return figure


def _ringed(mistakes: int) -> str:
    return f"{counted(mistakes, 'mistake')} {'is' if mistakes == 1 else 'are'} ringed" if mistakes else "no mistakes"


def _name_clusters(features: Features, evaluation: Evaluation, axes: object) -> None:
    """Each class's name at that of its points which is nearest to all others: inside a cluster, even where it has
    two.
    """
    from matplotlib import patheffects
    from matplotlib.axes import Axes
    from scipy.spatial.distance import cdist

    assert isinstance(axes, Axes)
    labels = evaluation.labels[features.places]
    for label, name in enumerate(evaluation.classes):
        points = features.points[labels == label]
        if len(points):
            x, y = points[cdist(points, points).sum(axis=0).argmin()]
            axes.text(
                x, y, shortened(name), size=15, weight="bold", ha="center", va="center", color=colour_of(label),
                path_effects=[patheffects.withStroke(linewidth=3.5, foreground="white")],
            )  # fmt: skip


def hardest(evaluation: Evaluation) -> Figure:
    """The test images whose true class got the least probability."""
    places = evaluation.hardest(HARDEST)
    wrong = int((~evaluation.correct[places]).sum())
    return gallery(
        evaluation,
        places,
        "The hardest test image" if len(places) == 1 else f"The {len(places)} hardest test images",
        f"of {Path(evaluation.source).name}, least probable true class first; "
        f"{wrong} {'is a mistake' if wrong == 1 else 'are mistakes'}; "
        "the true class, the predicted one, and how sure the model was",
    )
