"""A contact sheet of a data set: examples of every class beside how many images each has."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from main.config import AugmentConfig, DataConfig
from main.data.errors import DataError
from main.data.loading import load_training
from main.data.records import Images, TrainingData
from main.figures import INK, MUTED, OKABE_ITO, WARNING, drawing_rules, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE_NAME = "data.png"
SUFFIXES = frozenset({".png", ".pdf", ".svg"})
EXAMPLES = 12
MAX_CLASSES = 40
"""Rows of a sheet; of more classes the first are shown, and the sheet says so."""
TILE = 84
"""Height of an image on the sheet, in pixels, to the nearest whole multiple of its own."""
MAX_TILE = 112
"""Larger images are thinned out to this height or less."""
GAP = 2
BLANK = 255
DPI = 150
MARGIN, HEADING, FOOTING, BALANCE = 40, 150, 70, 520
"""Pixels: border, room above for the title, room below for the axis, width of the bars."""
NAME_SIZE, NOTICE_SIZE = 10, 9.5
MAX_NAME = 24
LINE = 30
"""Pixels of a line of the notice."""
TRAIN_COLOUR, VALIDATION_COLOUR = OKABE_ITO[0], OKABE_ITO[4]


@dataclass(frozen=True, eq=False)
class Sheet:
    """What is drawn of a data set."""

    examples: Images
    """(classes, examples, height, width, channels), white where a class has fewer."""
    names: tuple[str, ...]
    """Of the classes shown."""
    train: tuple[int, ...]
    """Training images of each class shown."""
    validation: tuple[int, ...]
    """Validation images of each class shown."""
    caption: str
    """What the examples are."""


def show_data(config: DataConfig, out: Path, augment: AugmentConfig | None = None) -> Path:
    """Draw examples of each class and the balance of classes, of the images that train and validate.

    With `augment`, each example stands beside what it may look like in training. `out` is a file (.png,
    .pdf, .svg), or a folder, which gets `data.png`. Gives the file's path. Raises DataError where the data
    is refused or the file cannot be written.
    """
    data = load_training(config)
    path = out if out.suffix.lower() in SUFFIXES else out / FILE_NAME
    figure = draw(data, sheet(data, augment))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands where no font has a letter
            figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def sheet(data: TrainingData, augment: AugmentConfig | None = None) -> Sheet:
    """Which examples are shown, evenly spaced over each class's training images, and how many there are.

    With `augment` they are half as many, each followed by an augmented copy.
    """
    shown = min(data.n_classes, MAX_CLASSES)
    step = -(-max(data.input_shape[:2]) // MAX_TILE)
    room = EXAMPLES if augment is None else EXAMPLES // 2
    examples = np.full((shown, EXAMPLES, *data.train.images[0, ::step, ::step].shape), BLANK, dtype=np.uint8)
    for label in range(shown):
        members = np.flatnonzero(data.train.labels == label)
        places = np.linspace(0, len(members) - 1, min(room, len(members))).round().astype(int)
        images = data.train.images[members[places]]
        if augment is not None:
            images = _with_copies(images, augment, label)
        examples[label, : len(images)] = images[:, ::step, ::step]
    return Sheet(
        caption="training images, evenly spaced" + ("" if augment is None else ", each beside an augmented copy"),
        examples=examples,
        names=data.classes[:shown],
        train=_counts(data.train.labels, data.n_classes)[:shown],
        validation=_counts(data.validation.labels, data.n_classes)[:shown],
    )


def _with_copies(images: Images, augment: AugmentConfig, label: int) -> Images:
    """Each image (n, h, w, c) followed by an augmented copy of it, (2 n, h, w, c)."""
    from main.backend import augmented

    pairs = np.stack([images, augmented(images, augment, (0, 0, label))], axis=1)
    return pairs.reshape(-1, *images.shape[1:])


def draw(data: TrainingData, drawn: Sheet) -> Figure:
    """The sheet as a figure, every image a whole multiple of its pixels."""
    with drawing_rules([data.source, _said(data), *drawn.names]):
        return _drawn(data, drawn)


def _said(data: TrainingData) -> str:
    return " ".join(filter(None, (data.notice, data.remark)))


def _drawn(data: TrainingData, drawn: Sheet) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    from main.fonts import Paragraph, broken, width_of

    rows, columns, height, width, _ = drawn.examples.shape
    scale = max(1, round(TILE / max(height, width)))
    tiles_width = (columns * (width + GAP) - GAP) * scale
    tiles_height = (rows * (height + GAP) - GAP) * scale
    font = FontProperties(size=NAME_SIZE)
    names = max(width_of(shortened(name, MAX_NAME), font) for name in drawn.names)
    left = MARGIN + round(names * DPI / 72) + 20
    total_width = left + tiles_width + MARGIN // 2 + BALANCE + MARGIN
    notice = broken([Paragraph(_said(data), NOTICE_SIZE, "normal", WARNING)], (total_width - 2 * MARGIN) / DPI)
    total_height = HEADING + len(notice) * LINE + tiles_height + FOOTING

    figure = Figure(figsize=(total_width / DPI, total_height / DPI), dpi=DPI, facecolor="white")

    def axes(x: int, wide: int) -> Axes:
        return figure.add_axes(
            (x / total_width, FOOTING / total_height, wide / total_width, tiles_height / total_height)
        )

    _draw_tiles(axes(left, tiles_width), drawn)
    _draw_balance(axes(left + tiles_width + MARGIN // 2, BALANCE), drawn)
    _write_heading(figure, data, drawn, [line.text for line in notice])
    return figure


def _draw_tiles(axes: Axes, drawn: Sheet) -> None:
    rows, columns, height, width, _ = drawn.examples.shape
    mosaic = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, start = row * (height + GAP), column * (width + GAP)
            mosaic[top : top + height, start : start + width] = drawn.examples[row, column]
    axes.imshow(mosaic, interpolation="nearest", aspect="auto")
    axes.set_yticks(
        [row * (height + GAP) + (height - 1) / 2 for row in range(rows)],
        labels=[shortened(name, MAX_NAME) for name in drawn.names],
        fontsize=NAME_SIZE,
    )
    axes.set_xticks([])
    axes.set_title(drawn.caption, loc="left", fontsize=9, color=MUTED, pad=7)
    axes.grid(visible=False)
    axes.tick_params(length=0, pad=8)
    axes.spines[:].set_visible(False)


def _draw_balance(axes: Axes, drawn: Sheet) -> None:
    rows = np.arange(len(drawn.names))
    train, validation = np.array(drawn.train), np.array(drawn.validation)
    axes.barh(rows, train, height=0.62, color=TRAIN_COLOUR, label="train")
    axes.barh(rows, validation, left=train, height=0.62, color=VALIDATION_COLOUR, label="validation")
    for row, (fitted, held_out) in enumerate(zip(drawn.train, drawn.validation, strict=True)):
        axes.annotate(
            f"{fitted:,} + {held_out:,}",
            (fitted + held_out, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.set_xlim(0, 1.42 * float((train + validation).max()))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("images of the class", fontsize=9)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=4, integer=True)
    axes.tick_params(axis="x", labelsize=8.5, labelcolor=MUTED)
    axes.spines["left"].set_visible(False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        fontsize=9,
        labelcolor=MUTED,
        handlelength=1,
        borderpad=0.3,
        borderaxespad=0.2,
    )


def _write_heading(figure: Figure, data: TrainingData, drawn: Sheet, notice: list[str]) -> None:
    height, width, channels = data.input_shape
    facts = [
        f"{len(data.train):,} images train, {len(data.validation):,} validate",
        f"{width} × {height} pixels, {'greyscale' if channels == 1 else 'colour'}",
        f"{data.n_classes:,} classes" if len(drawn.names) == data.n_classes
        else f"the first {len(drawn.names)} of {data.n_classes:,} classes",
    ]  # fmt: skip
    _write(figure, 38, Path(data.source).absolute().name, size=16, weight="bold")
    _write(figure, 78, "   ·   ".join(facts), size=10, colour=MUTED)
    for number, line in enumerate(notice):
        _write(figure, 112 + number * LINE, line, size=NOTICE_SIZE, colour=WARNING)


def _write(figure: Figure, down: int, text: str, *, size: float, colour: str = INK, weight: str = "normal") -> None:
    wide, high = (inches * DPI for inches in figure.get_size_inches())
    figure.text(
        MARGIN / wide,
        1 - down / high,
        text,
        va="center",
        fontsize=size,
        color=colour,
        weight=weight,
    )


def _counts(labels: np.ndarray, n_classes: int) -> tuple[int, ...]:
    return tuple(int(count) for count in np.bincount(labels, minlength=n_classes))
