import pytest

from optimize import wording
from optimize.verdict import ChoiceSummary, PairComparison

ACCURACY = "val_accuracy"


def pair(**changes: object) -> PairComparison:
    facts: dict[str, object] = {
        "better": "max", "worse": "average", "difference": 0.0031, "low": 0.0012, "high": 0.0050, "p": 0.001,
        "p_holm": 0.003, "n": 5, "decided": True, "seeds_needed": None,
    }  # fmt: skip
    return PairComparison(**(facts | changes))  # type: ignore[arg-type]


def say(
    metric: str = ACCURACY,
    *,
    winner: str = "max",
    beaten: tuple[str, ...] = (),
    open_: tuple[str, ...] = (),
    alike: bool = True,
    **changes: object,
) -> str:
    sentence = wording.verdict_sentence(metric, winner, pair(**changes), beaten=beaten, open_=open_, alike=alike)
    assert sentence.endswith(", on this validation set and these seeds.")
    return sentence.removesuffix(", on this validation set and these seeds.")


OPEN = {"worse": "blur", "n": 3, "decided": False, "p": 0.3, "seeds_needed": 11}


def test_a_decided_pair_is_said_in_points_with_its_interval() -> None:
    assert say() == "max beats average by 0.31 points (95 % 0.12 to 0.50, 5 seeds)"


def test_an_open_pair_says_what_would_decide_it() -> None:
    assert say(**OPEN) == "max and blur are not separable at 3 seeds; 8 more would probably decide"
    assert say(**OPEN | {"seeds_needed": None}).endswith("3 seeds; probably not even 1,000 would decide")
    assert say(**OPEN | {"p": 1.0}).endswith("3 seeds, over which their means are the same")


def test_of_choices_with_seeds_of_their_own_those_are_counted_that_both_have() -> None:
    assert say(alike=False) == "max beats average by 0.31 points (95 % 0.12 to 0.50, the 5 seeds that both have)"
    assert say(alike=False, **OPEN) == (
        "max and blur are not separable at the 3 seeds that both have; 8 more would probably decide"
    )


@pytest.mark.parametrize(
    ("single", "said"),
    [
        (("stride",), "stride has one fold alone, and is not compared."),
        (("stride", "blur"), "stride and blur have one fold alone, and are not compared."),
        (tuple("abcde"), "a, b, c and 2 others have one fold alone, and are not compared."),
    ],
)
def test_choices_that_are_not_compared_are_said_not_to_be(single: tuple[str, ...], said: str) -> None:
    sentence = wording.verdict_sentence(ACCURACY, "max", pair(), beaten=(), open_=(), single=single, noun="fold")
    assert sentence.partition(", on these folds of the images. ")[2] == said


def test_a_loss_is_said_in_its_own_unit() -> None:
    assert say("val_loss", difference=0.0372, low=0.0262, high=0.0482) == (
        "max beats average by 0.037 in val_loss (95 % 0.026 to 0.048, 5 seeds)"
    )


@pytest.mark.parametrize(
    ("beaten", "open_", "said"),
    [
        (("stride",), (), "; it also beats stride"),
        (("stride", "blur"), (), "; it also beats each of the 2 others"),
        ((), ("blur",), ", but is not separable from blur"),
        (("stride",), ("blur", "mixed"), ", but is not separable from blur and mixed"),
    ],
)
def test_a_decided_pair_says_what_of_the_others(beaten: tuple[str, ...], open_: tuple[str, ...], said: str) -> None:
    assert say(beaten=beaten, open_=open_) == say() + said


@pytest.mark.parametrize(
    ("beaten", "open_", "said"),
    [
        (("stride",), (), "; max beats stride"),
        (("stride", "average"), (), "; max beats each of the 2 others"),
        (("stride",), ("average",), "; max beats 1 of the 2 others"),
        ((), ("average",), "; max is not separable from average either"),
        ((), ("average", "stride"), "; max is not separable from any of the 2 others either"),
    ],
)
def test_an_open_pair_says_what_of_the_others(beaten: tuple[str, ...], open_: tuple[str, ...], said: str) -> None:
    assert say(**OPEN, beaten=beaten, open_=open_) == say(**OPEN) + said


def test_the_best_mean_does_not_hide_that_another_is_ahead_over_the_shared_seeds() -> None:
    assert say(winner="average") == (
        "average has the best mean, but over the seeds that both have "
        "max beats average by 0.31 points (95 % 0.12 to 0.50, 5 seeds)"
    )


def test_long_labels_are_shortened_and_not_repeated() -> None:
    first, second, third = (f"pooling={name} learning_rate=0.0025487123347" for name in ("max", "blur", "mixed"))
    sentence = say(winner=first, better=first, **OPEN | {"worse": second}, open_=(third,))
    assert sentence == (
        "pooling=max learning_rate=0.002549 and pooling=blur learning_rate=0.002549 are not separable at 3 seeds; "
        "8 more would probably decide; the first is not separable from the one other choice either"
    )


@pytest.mark.parametrize("label", ["max", "0.001", "1e-06", "[32, 64]", "0.500001", "{name: sgd, learning_rate: 0.1}"])
def test_ordinary_labels_are_left_as_they_are(label: str) -> None:
    assert wording.short(label) == label


def test_differences_are_shown_as_exactly_as_they_are_known() -> None:
    assert wording.interval_text(ACCURACY, 0.4, 0.1, 0.7) == ("40.00 points", "95 % 10.00 to 70.00")
    assert wording.interval_text(ACCURACY, 4e-5, 1e-5, 7e-5) == ("0.0040 points", "95 % 0.0010 to 0.0070")
    assert wording.interval_text("val_loss", 2e-5, -1e-5, 5e-5) == (
        "0.000020 in val_loss", "95 % −0.000010 to 0.000050",
    )  # fmt: skip
    assert wording.interval_text(ACCURACY, 0.05, 0.05, 0.05) == ("5.00 points", "95 % 5.00 to 5.00")


def test_zero_has_no_sign() -> None:
    assert wording.number(-0.0001, 2) == "0.00"
    assert wording.number(-1.25, 1) == "−1.2"


def test_values_are_in_per_cent_or_in_their_own_unit() -> None:
    assert wording.value_text(ACCURACY, 0.98912) == "98.91 %"
    assert wording.value_text("val_loss", 0.031234) == "0.0312"


def test_a_single_choice_has_nothing_to_beat() -> None:
    seeds = {0: 0.98, 1: 0.99, 2: 0.985}
    choice = ChoiceSummary("max", 3, 0.985, 0.005, 0.9726, 0.9974, seeds)
    assert wording.one_choice(ACCURACY, choice) == (
        "max reaches 98.50 % (95 % 97.26 to 99.74, 3 seeds), on this validation set and these seeds; "
        "there is nothing to compare it with."
    )
    alone = ChoiceSummary("max", 1, 0.98, None, None, None, {0: 0.98})
    assert wording.one_choice(ACCURACY, alone) == (
        "max reaches 98.00 % with one seed; there is nothing to compare it with."
    )


def test_many_things_are_not_all_listed() -> None:
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert wording.listed(list("abcdefgh"), most=2) == "a, b and 6 others"
    assert wording.listed(list("abc"), most=2) == "a, b and 1 other"


@pytest.mark.parametrize(
    ("means", "said"),
    [
        ((0.98, 0.97), "a is ahead of 1 other with 98.00 %"),
        ((0.98, 0.98), "a and b are level at 98.00 %"),
        ((0.98, 0.98, 0.97, 0.96), "a and b are level at 98.00 %, ahead of 2 others"),
    ],
)
def test_with_one_seed_nothing_is_ahead_of_its_equals(means: tuple[float, ...], said: str) -> None:
    choices = [
        ChoiceSummary(name, 1, mean, None, None, None, {0: mean}) for name, mean in zip("abcd", means, strict=False)
    ]
    assert wording.one_seed(ACCURACY, choices) == (
        f"No verdict is possible with one seed: {said}, but how much seeds alone change that is not known."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (185, "3 min 5 s"), (3600, "1 h"), (7860, "2 h 11 min"),
        (50_580, "14 h 3 min"), (187_200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_a_limit_is_said_as_it_was_written() -> None:
    assert (wording.limit(0.05), wording.limit(4), wording.limit(43_200)) == ("0.05 s", "4 s", "12 h")
