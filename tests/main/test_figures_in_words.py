from main.wording import accuracy_of, accuracy_text, percent


def test_a_share_is_said_in_per_cent() -> None:
    assert (percent(0.99054), percent(0.5, 0), percent(1, 1)) == ("99.05 %", "50 %", "100.0 %")


def test_an_accuracy_comes_with_its_interval_and_the_images_it_is_of() -> None:
    said = "99.05 % (95 % 98.84 to 99.22, 10,000 images)"
    assert accuracy_text(0.9905, 0.98841, 0.99222, 10_000) == said
    assert accuracy_of({"accuracy": 0.9905, "low": 0.98841, "high": 0.99222, "n": 10_000, "note": "once"}) == said
