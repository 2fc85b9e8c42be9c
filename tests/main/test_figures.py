"""The paper that evaluation, explanation and learning curves are drawn on."""

import pytest

from main.figures import drawing_rules, page


@pytest.mark.parametrize("width", [2.6, 3.4, 4.2])
def test_no_line_of_a_heading_begins_with_a_per_cent_sign(width: float) -> None:
    words = "of each class precision and recall, with 95 % Wilson intervals, 5 % of them beside the truth " * 4
    figure, _ = page("Classes", words, width=width, height=1.0)
    assert len(figure.texts) > 4
    assert not any(line.get_text().startswith("%") for line in figure.texts)


@pytest.mark.parametrize("word", ["MW", "illicit", "数字", "Größe"])
def test_lines_of_a_heading_are_as_wide_as_there_is_room(word: str) -> None:
    words = " ".join([word] * 60)
    with drawing_rules([words]):
        figure, _ = page(words, words, width=6.0, height=1.0)
        ends = [text.get_window_extent().x1 / figure.bbox.width for text in figure.texts]
    assert len(ends) > 2
    assert max(ends) <= 0.985
    for weight in ("bold", "normal"):
        own = [end for text, end in zip(figure.texts, ends, strict=True) if text.get_weight() == weight]
        assert max(own[:-1]) > 0.85
