from main.errors import told
from main.wording import accuracy_of, accuracy_text, counted, percent, printable


def test_a_share_is_said_in_per_cent() -> None:
    assert (percent(0.99054), percent(0.5, 0), percent(1, 1)) == ("99.05 %", "50 %", "100.0 %")


def test_an_accuracy_comes_with_its_interval_and_the_images_it_is_of() -> None:
    said = "99.05 % (95 % 98.84 to 99.22, 10,000 images)"
    assert accuracy_text(0.9905, 0.98841, 0.99222, 10_000) == said
    assert accuracy_of({"accuracy": 0.9905, "low": 0.98841, "high": 0.99222, "n": 10_000, "note": "once"}) == said


def test_one_is_not_said_in_the_plural() -> None:
    assert (counted(1, "image"), counted(0, "image"), counted(1200, "image")) == ("1 image", "0 images", "1,200 images")


def test_a_terminal_is_told_nothing_that_it_would_obey() -> None:
    assert printable("a\x1b[2J\x9b1m\r\x07\udce9.png\n") == "a?[2J?1m???.png\n".replace("?", "\ufffd")
    kept = "Größe 数字\N{IDEOGRAPHIC SPACE}9.41\N{NARROW NO-BREAK SPACE}PM 🐕.png"
    assert printable(kept) == kept
    assert told(FileNotFoundError(2, "No such file", "\x1b[2J.h5")) == "\ufffd[2J.h5: No such file"


def test_what_the_system_refuses_is_said_without_its_number() -> None:
    assert told(OSError(28, "No space left on device")) == "No space left on device"
