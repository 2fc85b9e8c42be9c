"""The paper under the charts: axes, colours, labels that make room for one another, and fonts."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from chart_texts import faults
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from main import fonts
from optimize.charts.drawing.differences import draw_differences
from optimize.charts.drawing.marks import spread, worse_to_better
from optimize.charts.drawing.scales import asinh_axis, metric_axis, parameter_axis
from optimize.charts.evidence import Choice
from optimize.charts.numbers.differences import Difference, Differences
from optimize.charts.page import Page, Words, drawing_rules
from optimize.charts.palette import ACCENT, DARK, INK, MUTED, OKABE_ITO, PAPER, WARNING, ink_on, looks, tone
from optimize.charts.parameters import Parameter, read_parameters
from optimize.charts.units import Metric, number
from optimize.space import Choices, Range

ACCURACY = Metric("val_accuracy", maximize=True)
LOSS = Metric("val_loss", maximize=False)


def parameter(swept: Choices | Range) -> Parameter:
    return read_parameters([swept])[0]


def table(path: str, cells: list[object]) -> pd.DataFrame:
    return pd.DataFrame({path: cells})


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


class TestParameter:
    def test_words_stand_side_by_side_in_the_files_order(self) -> None:
        pooling = parameter(Choices("model.pooling", ("max", "average", "blur")))
        assert pooling.coordinates(table("model.pooling", ["blur", "max", "other"]))[:2].tolist() == [2, 0]
        assert math.isnan(pooling.coordinates(table("model.pooling", ["other"]))[0])
        assert pooling.ticks == ((0, "max"), (1, "average"), (2, "blur"))

    def test_numbers_lie_at_their_value_in_order_of_size(self) -> None:
        rate = parameter(Choices("train.learning_rate", (1e-2, 1e-4, 1e-3)))
        assert rate.labels == ("0.0001", "0.001", "0.01")
        assert rate.log
        assert rate.places(table("train.learning_rate", [1e-4, 1e-3, 1e-2])).tolist() == pytest.approx([0, 0.5, 1])

    def test_close_numbers_are_not_logarithmic(self) -> None:
        assert not parameter(Choices("model.kernel_size", (3, 5, 7))).log
        assert not parameter(Choices("model.dropout", (0.0, 0.5))).log

    @pytest.mark.parametrize(
        ("values", "cells", "labels"),
        [
            ((True, False), [np.True_, np.False_], ["true", "false"]),
            ((None, 2), ["null", "2"], ["null", "2"]),
            (((32,), (32, 64)), ["[32]", "[32, 64]"], ["[32]", "[32, 64]"]),
            (("adam", {"name": "sgd", "learning_rate": 0.1}), ["adam", "{name: sgd, learning_rate: 0.1}"], None),
        ],
    )
    def test_cells_are_found_however_pandas_read_them(
        self, values: tuple[object, ...], cells: list[object], labels: list[str] | None
    ) -> None:
        swept = parameter(Choices("model.x", values))  # type: ignore[arg-type]
        rows = table("model.x", cells)
        assert swept.coordinates(rows).tolist() == [0, 1]
        assert [swept.label(row) for _, row in rows.iterrows()] == (labels or cells)

    def test_a_switched_off_parameter_has_no_coordinate(self) -> None:
        slope = parameter(Range("model.leaky_relu_slope", 0.01, 0.3))
        rows = table("model.leaky_relu_slope", [0.1, np.nan])
        assert np.isnan(slope.coordinates(rows)).tolist() == [False, True]
        assert [slope.short_label(row) for _, row in rows.iterrows()] == ["0.1", ""]

    def test_a_ranges_numbers_are_rounded_where_they_are_drawn(self) -> None:
        rate = parameter(Range("train.learning_rate", 1e-4, 1e-1, log=True))
        assert rate.short_label({"train.learning_rate": 0.0031639519177379016}) == "0.00316"

    @given(st.floats(0, 1))
    def test_places_and_values_are_inverse(self, place: float) -> None:
        for swept in (Range("a.b", 1e-4, 1e-1, log=True), Range("a.b", -2.0, 6.0)):
            scale = parameter(swept)
            assert scale.to_unit(scale.from_unit(np.array([place])))[0] == pytest.approx(place, abs=1e-9)

    def test_numbers_side_by_side(self) -> None:
        kernel = parameter(Choices("model.kernel_size", (7, 3))).by_place()
        assert kernel.coordinates(table("model.kernel_size", [3, 7])).tolist() == [0, 1]


class TestMetricAxis:
    def test_close_accuracies_fill_a_linear_axis(self, ax: Axes) -> None:
        metric_axis(ax, "y", ACCURACY, np.array([0.981, 0.989]))
        assert ax.get_yscale() == "linear"
        low, high = ax.get_ylim()
        assert 97.9 < low < 98.1
        assert 98.9 < high < 99.1

    def test_accuracies_from_poor_to_excellent_are_apart_by_their_error(self, ax: Axes) -> None:
        metric_axis(ax, "y", ACCURACY, np.array([0.1, 0.8, 0.9, 0.98, 0.99]))
        up = ax.transAxes.inverted().transform(ax.transData.transform([(0, y) for y in (80, 90, 98, 99)]))[:, 1]
        assert up[1] - up[0] == pytest.approx(up[3] - up[2])

    def test_a_perfect_accuracy_has_its_place(self, ax: Axes) -> None:
        metric_axis(ax, "y", ACCURACY, np.array([0.2, 0.9, 1.0]))
        height = ax.transAxes.inverted().transform(ax.transData.transform((0, 100)))[1]
        assert np.isfinite(height)
        assert 0.5 < height <= 1

    def test_losses_over_decades_are_logarithmic(self, ax: Axes) -> None:
        metric_axis(ax, "x", LOSS, np.array([0.02, 0.2, 2.0]))
        across = ax.transAxes.inverted().transform(ax.transData.transform([(x, 0) for x in (0.02, 0.2, 2.0)]))[:, 0]
        assert across[1] - across[0] == pytest.approx(across[2] - across[1])

    def test_wide_intervals_do_not_squeeze_the_values(self, ax: Axes) -> None:
        metric_axis(ax, "x", ACCURACY, np.array([0.98, 0.99]), np.array([0.2, 1.7, np.nan]))
        low, high = ax.get_xlim()
        assert high - low < 4

    def test_equal_values_still_have_an_axis(self, ax: Axes) -> None:
        metric_axis(ax, "y", ACCURACY, np.array([0.97, 0.97]))
        low, high = ax.get_ylim()
        assert low < 97 < high

    def test_infinite_values_are_left_out(self, ax: Axes) -> None:
        metric_axis(ax, "y", LOSS, np.array([0.1, 0.2, np.inf, np.nan]))
        assert ax.get_ylim()[1] < 1

    def test_a_logarithmic_range_gets_a_logarithmic_axis(self, ax: Axes) -> None:
        parameter_axis(ax, "x", parameter(Range("train.learning_rate", 1e-4, 1e-1, log=True)))
        assert ax.get_xscale() == "log"
        ax.figure.draw_without_rendering()
        texts = [label.get_text() for label in ax.get_xticklabels()]
        assert texts == ["0.0001", "0.001", "0.01", "0.1"]


class TestAsinhAxis:
    @pytest.mark.parametrize(("width", "largest"), [(2e-6, 5.1e-5), (2e6, 5.1e7), (1e-9, 1e3), (1.0, 40.0)])
    def test_ticks_are_at_zero_and_up_to_the_largest_in_any_unit(self, ax: Axes, width: float, largest: float) -> None:
        asinh_axis(ax, "x", width, largest)
        zero, *ticks = ax.get_xticks()
        assert zero == 0
        assert 3 <= len(ticks) <= 6
        assert width <= ticks[0] < ticks[-1] <= largest

    def test_ticks_are_written_as_numbers(self, ax: Axes) -> None:
        asinh_axis(ax, "y", 2e-6, 5.1e-5)
        ax.set_ylim(0, 5.1e-5)
        ax.figure.draw_without_rendering()
        texts = [label.get_text() for label in ax.get_yticklabels()]
        assert texts == ["0", "2e-06", "5e-06", "1e-05", "2e-05", "5e-05"]

    @pytest.mark.parametrize(("difference", "half"), [(5e-5, 1e-6), (5e7, 1e6)])
    def test_differences_of_any_size_have_ticks_beside_narrow_intervals(self, difference: float, half: float) -> None:
        better, worse = (Choice(name, name, look) for name, look in zip("ab", looks(2), strict=True))
        pair = Difference(better, worse, difference, difference - half, difference + half, decided=True)
        with drawing_rules([]):
            page = Page(Words("title", "says", "caption"))
            draw_differences(Differences(Metric("val_crossentropy", maximize=False), (pair,), "", ""), page)
            page.render("svg")
            (drawn,) = page.figure.axes
            assert drawn.get_xscale() == "asinh"
            assert sum(0 < tick <= difference for tick in drawn.get_xticks()) >= 3
            assert faults(page.figure) == []


class TestColours:
    def test_up_to_eight_choices_are_okabe_and_itos(self) -> None:
        assert tuple(look.colour for look in looks(8)) == OKABE_ITO

    @pytest.mark.parametrize("n", [2, 8, 9, 24])
    def test_no_two_choices_look_alike(self, n: int) -> None:
        assert len(set(looks(n))) == n

    def test_more_choices_go_from_dark_to_light(self) -> None:
        light = [_luminance(look.colour) for look in looks(12)]
        assert light == sorted(light)

    @given(red=st.integers(0, 255), green=st.integers(0, 255), blue=st.integers(0, 255))
    def test_what_is_written_on_a_colour_can_be_read(self, red: int, green: int, blue: int) -> None:
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        assert _contrast(ink_on(colour), colour) >= 4.5

    def test_no_end_of_the_scale_around_zero_is_swapped_under_what_is_written_on_it(self) -> None:
        assert not {to_hex(worse_to_better()(end)) for end in (0.0, 1.0)} & set(DARK)

    @pytest.mark.parametrize("colour", [INK, MUTED, WARNING])
    def test_words_have_contrast_on_light_and_dark(self, colour: str) -> None:
        assert _contrast(colour, PAPER) >= 4.5
        assert _contrast(DARK[colour], DARK[PAPER]) >= 4.5

    @pytest.mark.parametrize("colour", [*OKABE_ITO, ACCENT])
    def test_marks_stand_out_on_dark(self, colour: str) -> None:
        assert _contrast(DARK.get(colour, colour), DARK[PAPER]) >= 3

    def test_a_dark_style_changes_the_tone(self) -> None:
        with drawing_rules([], "dark_background"):
            assert tone(INK) == DARK[INK]
        with drawing_rules([]):
            assert tone(INK) == INK

    def test_the_callers_settings_are_left_alone(self) -> None:
        before = dict(rcParams)
        with drawing_rules(["数"], "ggplot"):
            assert dict(rcParams) != before
        assert dict(rcParams) == before


class TestSpread:
    @settings(max_examples=200)
    @given(st.lists(st.floats(0, 100), min_size=1, max_size=9))
    def test_labels_keep_their_order_and_their_distance(self, wanted: list[float]) -> None:
        places = spread(wanted, gap=10, room=100)
        assert all(-1e-6 <= place <= 100 + 1e-6 for place in places)
        by_height = [places[i] for i in np.argsort(wanted, kind="stable")]
        assert all(b - a >= 10 - 1e-6 for a, b in itertools.pairwise(by_height))

    def test_labels_that_do_not_meet_stay(self) -> None:
        assert spread([10, 50, 90], gap=10, room=100) == [10, 50, 90]

    def test_labels_that_meet_move_as_little_as_they_can(self) -> None:
        assert spread([50, 50], gap=10, room=100) == [45, 55]


class TestFonts:
    FONT = FontProperties(size=10)

    @settings(max_examples=60, deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z", "M")), max_size=60))
    def test_lines_keep_every_letter(self, text: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert "".join(fonts.wrap(text, self.FONT, 120)) == text

    def test_lines_break_between_words(self) -> None:
        text = "Which of the four poolings reads handwritten digits best on this machine?"
        lines = fonts.wrap(text, self.FONT, 150)
        assert len(lines) > 1
        assert " ".join(lines) == text

    def test_a_word_wider_than_the_line_is_broken(self) -> None:
        lines = fonts.wrap("w" * 100, self.FONT, 100)
        assert "".join(lines) == "w" * 100
        assert len(set(map(len, lines[:-1]))) == 1

    def test_no_line_begins_with_a_per_cent_sign(self) -> None:
        text = "One of 20 trials, 5 % of them, is worth 95 % of the rest"
        lines = [fonts.wrap(text, self.FONT, width) for width in range(80, 300)]
        assert not any(line.startswith("%") for broken in lines for line in broken)
        assert {" ".join(broken) for broken in lines} == {text.replace(" %", "\N{NO-BREAK SPACE}%")}

    def test_newlines_are_spaces(self) -> None:
        assert fonts.wrap("one\ntwo", self.FONT, 500) == ["one two"]

    def test_latin_needs_one_font(self) -> None:
        assert fonts.families("Größe – naïve “café” ≤ 95 %") == ["DejaVu Sans"]

    def test_what_no_font_has_is_named_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        unassigned_plane = "\U0001f9ff"
        with caplog.at_level("INFO"):
            found = fonts.families(f"a{unassigned_plane}")
        assert found[0] == "DejaVu Sans"
        assert len(found) > 1 or unassigned_plane in caplog.text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.001"), (1e-5, "1e-05"), (12800, "12,800"), (-3, "−3"), (0.0031639, "0.00316"), (2.0, "2")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)
