from pathlib import Path

import pytest
import yaml

from main import reading
from main.complaints import Complaint, ConfigError
from main.document import LARGEST_FILE, Document, parse, read

TEXT = """\
# a comment
data: {source: mnist}
model:
  filters: [32, 64]
  pooling:
    choices:
      - max
      - average
train:
  learning_rate: 1e-3
"""


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers, of which a platform may have only the second."""
    if request.param == "pure":
        monkeypatch.setattr(reading, "_LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


def loaded(text: str, *overrides: str) -> Document:
    return parse(text.encode(), "x.yaml", overrides)


def refused(text: str | bytes, *overrides: str) -> tuple[Complaint, ...]:
    with pytest.raises(ConfigError) as raised:
        parse(text.encode() if isinstance(text, str) else text, "x.yaml", overrides)
    return raised.value.complaints


def test_data_are_plain_and_lists_are_tuples() -> None:
    assert loaded(TEXT).data == {
        "data": {"source": "mnist"},
        "model": {"filters": (32, 64), "pooling": {"choices": ("max", "average")}},
        "train": {"learning_rate": 0.001},
    }


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("data",), (2, 1), (2, 7)),
        (("data", "source"), (2, 8), (2, 16)),
        (("model", "filters", 1), (4, 17), (4, 17)),
        (("model", "pooling", "choices"), (6, 5), (7, 7)),
        (("model", "pooling", "choices", 1), (8, 9), (8, 9)),
        (("train", "learning_rate"), (10, 3), (10, 18)),
    ],
)
def test_every_key_and_value_has_its_place(
    path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
) -> None:
    place = loaded(TEXT).place(path)
    assert (place.key, place.value) == (key, value)


def test_what_is_not_written_stands_at_the_key_of_what_is_around_it() -> None:
    complaint = loaded(TEXT).complaint(("train", "optimizer", "name"), "missing")
    assert (complaint.line, complaint.column) == (9, 1)


def test_columns_count_characters_not_bytes() -> None:
    assert loaded("🙂é: {数: 1}\n").place(("🙂é", "数")).value == (1, 9)


def test_a_carriage_return_ends_no_line_twice() -> None:
    assert loaded("a: 1\r\nb: 2\r\n").place(("b",)).key == (2, 1)


def test_quoted_scalars_are_words() -> None:
    assert loaded("a: '1e-3'\nb: \"true\"\n").data == {"a": "1e-3", "b": "true"}


def test_keys_are_words_whatever_they_look_like() -> None:
    assert loaded("1: a\ntrue: b\n").data == {"1": "a", "true": "b"}


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "empty"),
        ("# nothing\n", 1, 1, "empty"),
        ("- a\n", 1, 1, "a mapping at the top, but read the list"),
        ("max\n", 1, 1, "a mapping at the top, but read the word 'max'"),
        ("a: 1\na: 2\n", 2, 1, "written twice; it stands in line 1 already"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("a:\n\tb: 1\n", 2, 1, "a tab in the indentation"),
        ("\ufeffa: 1\n", 1, 1, "a byte order mark"),
        ("a: 1\nb: \0\n", 2, 4, "U+0000"),
        ("a: 1\u2028b: 2\n", 1, 5, "U+2028"),
        ('a: "\\0"\n', 1, 4, "U+0000"),
        ("a: &x 1\n", 1, 4, "anchors and aliases are not read"),
        ("a: *x\n", 1, 4, "anchors and aliases are not read"),
        ("<<: {b: 1}\n", 1, 1, "merge keys are not read"),
        ("a: !!python/object:os.system x\n", 1, 4, "the tag !!python/object:os.system is not read"),
        ("a: !x 1\n", 1, 4, "the tag !x is not read"),
        ("{[1]: 2}\n", 1, 2, "a key must be a plain word"),
        ("a: .inf\n", 1, 4, "not a finite number"),
        ("a:\n\u00a0 b: 1\n", 2, 1, "the invisible character U+00A0 in the indentation"),
        ("a: 'b\n", 1, 4, "never closed"),
        ("a: 'b\nc: d\n", 1, 4, "never closed"),
        ("a: @b\n", 1, 4, "cannot begin with this character"),
        ("a:\n    b: 1\n  c: 2\n", 3, 3, ""),
    ],
)
def test_refused_by_line(text: str, line: int, column: int, said: str) -> None:
    complaint = refused(text)[0]
    assert (complaint.line, complaint.column) == (line, column)
    assert said in complaint.message


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a:1\nb: 2\n", 1, 2, "a ':' needs a space after it"),
        ("a:\n  b: 1\n  c:2\nd: 3\n", 3, 4, "a ':' needs a space after it"),
        ("a:\n  b: 1\n  c:2\n", 3, 4, "a ':' needs a space after it"),
        ("a\n  b: 1\n", 1, 1, "a key without its ':'"),
        ("a: 1\nb\n  c: 1\n", 2, 1, "a key without its ':'"),
        ("a:\n  b c\n  # d\n\n  e: 1\n", 2, 3, "a key without its ':'"),
        ("a:\n  b: 1\n    c: 2\n", 3, 5, "further in than the key above, which has a value already"),
        ("a:\n  b: 'c'\n    d: 2\n", 3, 5, "further in than the key above, which has a value already"),
        ("a:\n  - b\n c: 1\n", 3, 2, "neither a key nor the end of the mapping"),
        ("a: b: c\n", 1, 5, "a second ':' in one value; quote the value"),
        ("a: [1\nb: 2\n", 1, 4, "begins here and is never closed: expected ',' or ']'"),
        ("a: {b: [1, 2]\nc: 2\n", 1, 4, "begins here and is never closed: expected ',' or '}'"),
        ("{a: 1\nb: 2}\n", 2, 2, "expected ',' or '}'"),
        ("a: [1]]\n", 1, 7, "this ']' closes nothing"),
        ("a: 1\nb: {c: 1}}\n", 2, 10, "this '}' closes nothing"),
        ("a: 'What's this?'\n", 1, 10, "text after the closing quote; within single quotes write '' for '"),
        ("a: {b: 1},\n", 1, 10, "text after the value; leave it out, or begin a comment with ' #'"),
        ('a: "C:\\Users"\n', 1, 9, "a '\\' within double quotes begins an escape; use single quotes"),
        ("a: *so* it is\n", 1, 4, "a value cannot begin with this character; quote it"),
        ("a: > b\n", 1, 4, "a value cannot begin with this character; quote it"),
        ("a: ? b\n", 1, 4, "a value cannot begin with this character; quote it"),
        ("a: - b\n", 1, 4, "a list begins in a line of its own"),
        ("a:\n  b {c: [1]}\n", 2, 3, "a key without its ':'"),
        ("a:\n  b:{c: [1]}\n", 2, 4, "a ':' needs a space after it"),
        ("a = {'b': 'c'}\nd: 1\n", 1, 1, "a key has ':' after it, and a space; not '='"),
        ("a:\n  b: {c [1, 2]}\n", 2, 7, "a key without its ':'"),
        ("a: {b: 1, c {d: 2}}\n", 1, 11, "a key without its ':'"),
        ("a: (b: 1)\n", 1, 6, "keys within one line stand in braces, {...}, not in parentheses"),
        ("# c\n[a]\nb: 1\n", 2, 1, "in YAML a section begins with its name and a ':'"),
        ("a: {b: c: 1}\n", 1, 9, "a second ':' in one value; quote the value, or write it in braces, {...}"),
    ],
)
def test_what_a_parser_notices_late_is_told_where_it_was_done(text: str, line: int, column: int, said: str) -> None:
    complaint = refused(text)[0]
    assert (complaint.line, complaint.column) == (line, column), complaint
    assert said in complaint.message


def test_a_colon_without_its_space_is_told_within_braces() -> None:
    if reading._LOADER is yaml.SafeLoader:
        pytest.skip("PyYAML's own parser reads `b:[1]` as a word")
    complaint = refused("a: {b:[1]}\n")[0]
    assert (complaint.column, complaint.message) == (6, "a ':' needs a space after it")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refused('a: "\\ud800"\n')[0].line == 1


def test_not_utf8_is_refused_at_the_byte() -> None:
    complaint = refused(b"a: 1\nb: \xff\n")[0]
    assert (complaint.line, complaint.column, complaint.message) == (2, 4, "not UTF-8: byte 0xff")


def test_several_faults_are_told_at_once_in_order() -> None:
    assert [complaint.line for complaint in refused("a: *x\na: 1\nb: !t 2\nc: .nan\n")] == [1, 2, 3, 4]


def test_depth_is_bounded() -> None:
    assert "nested deeper than 16 levels" in refused("a: " + "[" * 2000 + "]" * 2000)[0].message


def test_an_exploding_alias_is_refused_before_it_explodes() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert len(refused("\n".join(lines))) == 100


def test_a_large_file_is_not_read() -> None:
    assert "larger than 64 KiB" in refused(b"# " + b"x" * LARGEST_FILE)[0].message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file or directory$"):
        read(tmp_path / "none.yaml")


def test_the_file_that_was_meant_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("configs/study", "results/pooling"):
        Path(folder).mkdir(parents=True)
    for name in ("pooling", "study/loss"):
        Path(f"configs/{name}.yaml").touch()
    for named, meant in {
        "pooling": "configs/pooling.yaml",
        "pooling.yaml": "configs/pooling.yaml",
        "configs/poling.yaml": "configs/pooling.yaml",
        "configs/study/lost.yaml": "configs/study/loss.yaml",
        "results/pooling": "configs/pooling.yaml",
    }.items():
        with pytest.raises(ConfigError, match=rf"(No such file or|Is a) directory; did you mean '{meant}'\?$"):
            read(named)


def test_an_override_replaces_a_value_and_has_a_place_of_its_own() -> None:
    changed = loaded(TEXT, "train.learning_rate=0.1", "model.pooling={choices: [max, blur]}", "train.epochs=3")
    assert changed.data["train"] == {"learning_rate": 0.1, "epochs": 3}
    assert changed.data["model"] == {"filters": (32, 64), "pooling": {"choices": ("max", "blur")}}
    complaint = changed.complaint(("model", "pooling", "choices", 1), "so")
    assert complaint.place == "--set model.pooling={choices: [max, blur]}"
    assert complaint.excerpt == ("model.pooling={choices: [max, blur]}", " " * 30 + "^")


def test_an_override_reaches_into_lists_and_makes_what_is_not_there() -> None:
    assert loaded(TEXT, "model.filters.1=128").data["model"]["filters"] == (32, 128)  # type: ignore[call-overload, index]
    assert loaded(TEXT, "study.stop.time=30m").data["study"] == {"stop": {"time": "30m"}}


def test_an_override_below_a_word_keeps_the_word_as_name() -> None:
    document_ = loaded("train: {optimizer: sgd}\n", "train.optimizer.momentum=0.9")
    assert document_.data["train"] == {"optimizer": {"name": "sgd", "momentum": 0.9}}


def test_an_override_reaches_a_key_that_is_a_path() -> None:
    text = "study: {baseline: {model.pooling: max, model: 3}}\n"
    assert loaded(text, "study.baseline.model.pooling=blur").data == {
        "study": {"baseline": {"model.pooling": "blur", "model": 3}}
    }


@pytest.mark.parametrize("at", ["study.baseline", "study.start.0", "train.epochs.when"])
def test_where_keys_are_paths_an_override_sets_one_key(at: str) -> None:
    text = "study: {baseline: {train.loss: mse}, start: [{}]}\ntrain: {epochs: {choices: [1, 2]}}\n"
    point: object = loaded(text, f"{at}.model.pooling=blur").data
    for key in at.split("."):
        point = point[int(key)] if isinstance(point, tuple) else point[key]  # type: ignore[index]
    assert isinstance(point, dict)
    assert point["model.pooling"] == "blur"
    assert loaded("a: 1\n", "study.baseline.model.pooling=").data["study"] == {"baseline": {"model.pooling": None}}


@pytest.mark.parametrize("written", ["max", "0.5", "[32, 64]", "{name: max, x: 1}", ""])
def test_choices_and_ranges_of_an_override_take_the_place_of_a_value(written: str) -> None:
    document_ = loaded(f"model:\n  pooling: {written}\n", "model.pooling.low=1", "model.pooling.high=2")
    assert document_.data == {"model": {"pooling": {"low": 1, "high": 2}}}
    for path in (("model", "pooling"), ("model", "pooling", "low")):
        assert document_.complaint(path, "so").place == "--set model.pooling.low=1"
    assert loaded("a: 1\n", "choices=[1]").data == {"a": 1, "choices": (1,)}  # of the whole file there is none
    assert loaded("a: {b: 1}\n", "a.choices=[1]").data == {"a": {"b": 1, "choices": (1,)}}  # nor of a section


def test_one_form_of_an_override_takes_the_place_of_another_whose_condition_stays() -> None:
    text = "model:\n  slope: {low: 1, high: 2, step: 1, when: {model.a: b}}\n"
    document_ = loaded(text, "model.slope.choices=[3, 4]")
    assert document_.data == {"model": {"slope": {"choices": (3, 4), "when": {"model.a": "b"}}}}
    assert document_.complaint(("model", "slope", "when"), "so").place == "x.yaml:2:43"


def test_a_word_that_an_override_makes_a_name_stands_where_it_stood() -> None:
    complaint = loaded("train: {optimizer: sdg}\n", "train.optimizer.momentum=0.9").complaint(
        ("train", "optimizer", "name"), "so"
    )
    assert (complaint.place, complaint.column) == ("x.yaml:1:20", 20)


def test_an_override_of_bytes_that_are_no_utf8_is_refused() -> None:
    assert "no UTF-8" in refused(TEXT, "question=caf\udce9")[0].message


def test_an_override_without_a_value_is_null() -> None:
    assert loaded(TEXT, "train.augment=").data["train"] == {"learning_rate": 0.001, "augment": None}


def test_an_element_of_an_empty_list_cannot_be_set() -> None:
    message = refused("model: {dense_units: []}\n", "model.dense_units.0=64")[0].message
    assert message == "model.dense_units is an empty list; set the whole of it, [...]"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.epochs", "expected PATH=VALUE"),
        ("=3", "expected PATH=VALUE"),
        ("train..epochs=3", "expected PATH=VALUE"),
        ("model.filters.-1=8", "has 2 elements"),
        ("model.padding.choices.0=same", "model.padding.choices is no list in the file; set the whole of it, [...]"),
        ("model.kernel_size.0=3", "model.kernel_size is no list in the file; set the whole of it, [...]"),
        ("train.epochs=[1", ""),
        ("train.epochs=*a", "anchors and aliases"),
        ("question=Which\u200b?", "the invisible character U+200B does not belong"),
        ("model.filters.7=1", "has 2 elements"),
        ("model.filters.x=1", "has 2 elements"),
        (f"model.filters.{'9' * 5000}=1", "has 2 elements"),
        ("train.learning_rate.x=1", "which has no 'x'"),
    ],
)
def test_a_bad_override_is_named(override: str, said: str) -> None:
    complaint = refused(TEXT, override)[0]
    assert complaint.place == f"--set {override}"
    assert said in complaint.message


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("model.filters[0]=8", "model.filters.0=8"),
        ("model.filters.[0]=8", "model.filters.0=8"),
        ('model["filters"]=[8]', "model.filters=[8]"),
        ("model/filters/0=8", "model.filters.0=8"),
        ("model:filters=[8]", "model.filters=[8]"),
        ("--train.epochs=3", "train.epochs=3"),
        ("train.epochs: 3", "train.epochs=3"),
        ("train.epochs 3", "train.epochs=3"),
    ],
)
def test_an_override_with_other_signs_in_its_path_is_told_how_it_is_written(override: str, meant: str) -> None:
    (complaint,) = refused(TEXT, override)
    assert complaint.hint == f"write {meant}"
    assert loaded(TEXT, meant)


@pytest.mark.parametrize("override", ["train.epochs =3", "train.epochs=3", "question=Which: a or b?", "question=[a]"])
def test_an_override_with_points_alone_in_its_path_is_read(override: str) -> None:
    assert loaded(TEXT, override)
