import pytest

from main.complaints import Complaint, ConfigError, Mark, Source, render
from main.reading import decoded

SOURCE = Source("configs/x.yaml", "model:\n  poolng: max\n  question: 数字は🙂? x\n")


def complaint(line: int, column: int, source: Source = SOURCE) -> Complaint:
    return Complaint(source, Mark(line, column), "model.poolng", "unknown key; did you mean 'pooling'?", "allowed: …")


def test_a_complaint_shows_its_line_with_a_caret_under_the_place() -> None:
    assert str(complaint(2, 3)).splitlines() == [
        "configs/x.yaml:2:3: model.poolng: unknown key; did you mean 'pooling'?",
        "      poolng: max",
        "      ^",
        "    allowed: …",
    ]


def test_the_caret_stands_under_wide_characters_too() -> None:
    line, caret = complaint(3, 17).excerpt or ("", "")
    assert line.index("?") == 16
    assert caret == " " * 20 + "^"  # each of 数字は🙂 takes two columns


def test_a_long_line_is_cut_around_the_place() -> None:
    source = Source("x", "a" * 500 + "HERE" + "b" * 500)
    line, caret = complaint(1, 501, source).excerpt or ("", "")
    assert len(line) <= 100
    assert line[caret.index("^") :].startswith("HERE")


def test_control_characters_of_a_file_never_reach_the_terminal() -> None:
    line, _ = complaint(1, 1, Source("x", "a\x1b[31m b")).excerpt or ("", "")
    assert line == "a\N{REPLACEMENT CHARACTER}[31m b"


def test_no_excerpt_where_there_is_no_such_line() -> None:
    assert complaint(9, 1).excerpt is None
    assert complaint(1, 1, Source("x", "")).excerpt is None


def test_complaints_come_in_the_order_of_the_file_each_once() -> None:
    error = ConfigError([complaint(3, 1), complaint(2, 9), complaint(2, 3), complaint(2, 3)])
    assert [(c.line, c.column) for c in error.complaints] == [(2, 3), (2, 9), (3, 1)]


def test_the_command_lines_own_come_after_the_files() -> None:
    override = Source("--set a=b", "a=b", is_file=False)
    error = ConfigError([complaint(1, 1, override), complaint(3, 1)])
    assert [c.file for c in error.complaints] == ["configs/x.yaml", "--set a=b"]
    assert str(error.complaints[1]).startswith("--set a=b: model.poolng: ")


def test_every_one_of_very_many_complaints_is_shown_those_past_the_25th_in_a_line_each() -> None:
    error = ConfigError([complaint(2, column) for column in range(1, 61)])
    lines = str(error).splitlines()
    assert [line for line in lines if line.startswith("configs/")] == [c.headline for c in error.complaints]
    assert lines[: 4 * 25] == "\n".join(map(str, error.complaints[:25])).splitlines()
    assert len(lines) == 4 * 25 + 35


@pytest.mark.parametrize("count", [2, 60])
def test_the_coloured_form_says_the_same(count: int) -> None:
    error = ConfigError([complaint(2, column) for column in range(1, count + 1)])
    assert render(error.complaints).plain == str(error)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_where_yaml_ends_them_and_not_at_a_form_feed(end: str) -> None:
    with pytest.raises(ConfigError) as raised:
        decoded(end.join(["a: 1\x0c", "b: 2", "c: \u200b3", ""]).encode(), "x.yaml")
    places = [(c.line, c.column, (c.excerpt or ("",))[0]) for c in raised.value.complaints]
    assert places == [(1, 5, "a: 1\N{REPLACEMENT CHARACTER}"), (3, 4, "c: \N{REPLACEMENT CHARACTER}3")]
