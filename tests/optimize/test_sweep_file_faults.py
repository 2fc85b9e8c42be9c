"""Bad input that must never become a traceback, a wait, or worse: one test for each kind."""

import subprocess
import sys
from pathlib import Path

import pytest
from loading import CALLS_PER_SECOND, calls, loaded, refused

from main.complaints import Complaint

GOOD = """\
name: good
data: {source: digits}
model:
  network: cnn
  pooling: {choices: [max, average]}
train:
  epochs: 3
"""


def test_several_faults_at_once_are_each_reported_with_their_line_and_the_nearest_key() -> None:
    text = "data: {source: 3}\nmodel:\n  poolng: max\n  filters: [32, x]\ntrian:\n  epochs: 3\n"
    assert [complaint.headline for complaint in refused(text)] == [
        "x.yaml:1:16: data.source: expected a word, but read the number 3",
        "x.yaml:2:1: model: nothing is swept: no choices and no range stand under `model` or `train`",
        "x.yaml:3:3: model.poolng: unknown key; did you mean 'pooling'?",
        "x.yaml:4:17: model.filters.1: expected a whole number, but read the word 'x'",
        "x.yaml:5:1: trian: unknown key; did you mean 'train'?",
    ]


def test_missing_sections_are_reported() -> None:
    assert [complaint.path for complaint in refused("train: {}\n")][:2] == ["data", "model"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("no", "expected true or false, but read the word 'no'"),
        ("off", "expected true or false, but read the word 'off'"),
        ("1", "expected true or false, but read the number 1"),
        ("1:30", "expected true or false, but read the word '1:30'"),
        ("2020-01-01", "expected true or false, but read the word '2020-01-01'"),
    ],
)
def test_what_was_read_is_shown(written: str, said: str) -> None:
    assert refused(GOOD + f"  schedule: constant\nstudy: {{race: {written}}}\n")[0].message == said


@pytest.mark.parametrize(
    ("section", "written", "path", "said", "hint"),
    [
        ("study", "seeds: 3.0", "study.seeds", "expected a whole number or a list, but read the number 3.0", ""),
        ("study", "sampler: []", "study.sampler", "expected a name or a mapping, but read the list []", "names: grid"),
        (
            "study", "sampler: {name: 3}", "study.sampler.name",
            "expected grid, random, tpe, gp, cmaes, qmc or nsga2, but read the number 3", "",
        ),
        (
            "study", "metric: {a: 1}", "study.metric",
            "expected val_accuracy, val_loss or val_crossentropy, but read the mapping {a: 1}", "",
        ),
        (
            "study", "pruner: {name: patient, patience: 2, wrapped: {name: asha}}", "study.pruner.wrapped",
            "expected median, hyperband, asha or wilcoxon, but read the mapping {name: asha}", "",
        ),
        ("run", "workers: 1.5", "run.workers", "expected a whole number or auto, but read the number 1.5", ""),
        ("run", "workers: each", "run.workers", "unknown value 'each'", "allowed: a whole number or auto"),
        (
            "run", "engine: localhost:8786", "run.engine",
            "expected an address such as tcp://10.0.0.1:8786, but read 'localhost:8786'", "",
        ),
    ],
)  # fmt: skip
def test_all_that_may_be_written_is_named(section: str, written: str, path: str, said: str, hint: str) -> None:
    complaint = refused(GOOD + f"{section}: {{{written}}}\n")[0]
    assert (complaint.path, complaint.message) == (path, said)
    assert complaint.hint.startswith(hint)


def test_numbers_are_those_of_yaml_1_2() -> None:
    config = loaded(GOOD.replace("epochs: 3", "learning_rate: 1e-3\n  epochs: 010"))
    assert config.base.train.learning_rate == 0.001
    assert config.base.train.epochs == 10


def test_a_boolean_is_never_a_number() -> None:
    assert refused(GOOD.replace("3", "true"))[0].message == "expected a whole number, but read the boolean true"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD.replace("train:", "name: bad\ntrain:").encode(), 6),
        (GOOD.encode() + b"---\n" + GOOD.encode(), 8),
        (GOOD.replace("  epochs", "\tepochs").encode(), 7),
        (b"\xef\xbb\xbf" + GOOD.encode(), 1),
        (GOOD.replace("cnn", "c\0nn").encode(), 4),
        (GOOD.replace("cnn", "cnn\udcff").encode(errors="surrogateescape"), 4),
        (b"", 1),
        (b"- a\n- b\n", 1),
    ],
    ids=["duplicate key", "two documents", "tab", "byte order mark", "NUL", "not UTF-8", "empty", "list at the top"],
)
def test_refused_by_line(content: bytes, line: int) -> None:
    assert refused(content)[0].line == line


BILLION_LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]" for n in range(1, 20))]
)
HEAVY = {
    "exploding aliases": (BILLION_LAUGHS, "anchors and aliases are not read"),
    "exploding merges": ("a: {<<: {b: 1}}\n" * 1, "merge keys are not read"),
    "2,000 levels": ("model: " + "[" * 2000, "nested deeper than 16 levels"),
    "2,000 levels of mappings": ("model: " + "{a: " * 2000, "nested deeper than 16 levels"),
    "more than 64 KiB": ("# " + "x" * 70_000, "larger than 64 KiB"),
    "a 5,000-digit number": (GOOD.replace("3", "9" * 5000), "a number of 5,000 characters"),
    "a Python object": ("model: !!python/object:os.system {}\n", "the tag !!python/object:os.system is not read"),
}


@pytest.mark.parametrize(("text", "said"), HEAVY.values(), ids=list(HEAVY))
def test_what_is_heavy_is_refused_at_no_cost(text: str, said: str) -> None:
    def load() -> None:
        assert said in refused(text)[0].message

    load()  # what it imports is imported
    assert calls(load) < CALLS_PER_SECOND / 10


SWEPT = ", ".join(["{choices: [1, 2]}"] * 1500)
MANY = {
    "values that are swept": (
        GOOD.replace("network: cnn", f"filters: [{SWEPT}]"),
        ["model.filters", "model.filters.100"],
        "one value more than the 100 that can be swept at most",
    ),
    "keys that are unknown, and swept": (
        GOOD.replace("network: cnn", "\n  ".join(f"a{n}: {{choices: [1]}}" for n in range(60))),
        [f"model.a{n}" for n in range(60)],
        "unknown key",
    ),
    "layers": (
        GOOD.replace("network: cnn", f"dense_units: {[1] * 1000}"),
        ["model.dense_units"],
        "at most 32 elements",
    ),
    "wrong elements": (
        GOOD + f"study: {{sampler: random, trials: 5, start: {[3] * 1000}}}",
        [f"study.start.{n}" for n in range(1000)],
        "expected a mapping, but read the number 3",
    ),
}


@pytest.mark.parametrize(("text", "paths", "said"), MANY.values(), ids=list(MANY))
def test_what_is_many_is_refused_within_a_second(text: str, paths: list[str], said: str) -> None:
    found: list[Complaint] = []
    assert calls(lambda: found.extend(refused(text))) < CALLS_PER_SECOND
    assert [complaint.path for complaint in found] == paths
    assert said in found[-1].message


def test_a_key_of_5000_digits_is_an_unknown_key() -> None:
    complaint = refused(GOOD.replace("network: cnn", f"? {'9' * 5000}\n  : {{choices: [1, 2]}}"))[0]
    assert (complaint.line, complaint.message) == (4, "unknown key")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{low: 0.5, high: 0.1}", "`low` must be less than `high`, but they are 0.5 and 0.1"),
        ("{low: 0, high: 0.5, log: true}", "begins above 0, but `low` is 0"),
        ("{low: -0.5, high: 0.5, log: true}", "begins above 0, but `low` is -0.5"),
        ("{choices: []}", "must not be empty"),
        ("{choices: [0.1, 0.2, 0.1]}", "0.1 is the same as 0.1; each choice stands once"),
        ("{low: 0.1, high: 0.5, step: 0.3}", "whole steps of 0.3 from 0.1 must end at 0.5, but they end at 0.4"),
        (".nan", ".nan is not a finite number"),
        (".inf", ".inf is not a finite number"),
        ("{low: 0.1, high: .inf}", ".inf is not a finite number"),
        ("1e999", "larger than any number"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_the_rule_and_the_values(written: str, said: str) -> None:
    assert said in refused(GOOD.replace("network: cnn", f"dropout: {written}"))[0].message


def test_a_nonsensical_number_of_epochs_is_refused() -> None:
    assert refused(GOOD.replace("3", "1" + "0" * 30))[0].message.startswith("must be at most 10000, but read 1000000")


@pytest.mark.parametrize("written", ["{low: 1, high: 1%s}", "{patience: 1%s}", "1%s"])
def test_a_patience_that_no_training_outlasts_is_refused(written: str) -> None:
    """Of a range of so many numbers, samplers would have to take a part for the whole, or raise."""
    text = GOOD.replace("epochs: 3", f"early_stopping: {written % ('0' * 30)}")
    text += "study: {sampler: {name: cmaes, with_margin: true}, trials: 5}\n"
    assert any(complaint.message.startswith("must be at most 10000") for complaint in refused(text))


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", "../x", "a\\b", '"a\\u0007b"', "x" * 300, "con", "NUL.yaml", "lpt1", "a b", '""'],
)
def test_a_name_that_is_no_folder_everywhere_is_refused(name: str) -> None:
    assert refused(GOOD.replace("name: good", f"name: {name}"))[0].line == 1


def test_titles_may_say_anything_that_can_be_seen() -> None:
    question = 'Is <script>alert(1)</script> or $\\frac{a}{b}$ or =cmd() or 数字🙂 "best"?'
    text = GOOD + f"question: '{question}'\n"
    assert loaded(text).question == question
    assert loaded(loaded(text).resolved()).question == question


def test_a_password_in_an_address_is_refused_and_belongs_in_the_environment() -> None:
    complaint = refused(GOOD + "run: {engine: 'tcp://me:secret@host:8786'}\n")[0]
    assert complaint.path == "run.engine"


def test_nothing_is_imported_that_trains_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("pooling", "poolng"))
    code = "import sys\nfrom optimize.config import load_config\ntry: load_config(sys.argv[1])\n"
    code += "except ValueError: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout
    assert not {"tensorflow", "keras", "optuna"} & set(done.stdout.split())
    assert list(tmp_path.iterdir()) == [path]


WHOLE = "data: {source: digits}\nmodel: {%s}\ntrain: {%s}\nstudy: {seeds: 2}\n"


@pytest.mark.parametrize(
    ("model", "train", "said"),
    [
        (
            "choices: [{filters: [8]}, {filtrs: [9]}]", "epochs: 1",
            "x.yaml:2:36: model.choices.1.filtrs: unknown key; did you mean 'filters'?",
        ),
        (
            "filters: [8]", "choices: [{epochs: 1}, {epochs: one}]",
            "x.yaml:3:41: train.choices.1.epochs: expected a whole number, but read the word 'one'",
        ),
        (
            "winner: none, otherwise: {filtes: [4]}", "epochs: 1",
            "x.yaml:2:35: model.otherwise.filtes: unknown key; did you mean 'filters'?",
        ),
        (
            "choices: [{filters: [8]}, {network: softmax, filters: [9]}]", "epochs: 1",
            "x.yaml:2:54: model.choices.1.filters: unknown key of network softmax; it is of cnn",
        ),
        (
            "network: cnnn, droput: 0.1", "epochs: 1",
            "x.yaml:2:24: model.droput: unknown key; did you mean 'dropout'?",
        ),
    ],
    ids=[
        "a key of a choice", "a value of a choice", "what holds meanwhile", "another network's key",
        "what stands beside a misspelt network",
    ],
)  # fmt: skip
def test_faults_within_a_section_that_stands_in_one_piece(model: str, train: str, said: str) -> None:
    assert said in [complaint.headline for complaint in refused(WHOLE % (model, train))]


def test_a_section_may_be_off_as_a_whole() -> None:
    text = WHOLE % ("batch_norm: {choices: [true, false]}", "choices: [{epochs: 1}], when: {model.batch_norm: true}")
    config = loaded(text)
    epochs = [config.concrete(values).train.epochs for values in config.space.cells()]
    assert epochs == [1, 6]  # the default


def test_a_section_that_waits_for_what_is_broken_is_not_complained_of() -> None:
    text = WHOLE % ("pooling: {choices: 3}", "choices: [{epochs: 1}, {epochs: 2}], when: {model.pooling: max}")
    assert [complaint.path for complaint in refused(text)] == ["model.pooling.choices"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD.replace("train:\n  epochs: 3", "train: [epochs: 3]"),
            ["x.yaml:6:8: train: expected a mapping, but read the list [{epochs: 3}]"],
        ),
        ("data: {}\nmodel: cnn\n", ["x.yaml:2:8: model: expected a mapping, but read the word 'cnn'"]),
        ("data: {}\nmodel:\n", ["x.yaml:2:7: model: expected a mapping, but read null"]),
        (
            GOOD + "study: {baseline: {model.pooling: {choices: [max]}}}\n",
            ["x.yaml:8:35: study.baseline.model.pooling: only values under `model` and `train` can be swept"],
        ),
    ],
)
def test_one_fault_is_one_complaint(text: str, said: list[str]) -> None:
    assert [complaint.headline for complaint in refused(text)] == said


def test_data_that_are_swept_are_not_said_to_be_missing() -> None:
    text = GOOD.replace("data: {source: digits}", "data: {choices: [{source: digits}]}")
    assert [complaint.headline for complaint in refused(text)] == [
        "x.yaml:2:7: data: only values under `model` and `train` can be swept"
    ]
