"""The paper that evaluation, explanation and learning curves are drawn on."""

import pytest

from main.figures import page


@pytest.mark.parametrize("width", [2.6, 3.4, 4.2])
def test_no_line_of_a_heading_begins_with_a_per_cent_sign(width: float) -> None:
    words = "of each class precision and recall, with 95 % Wilson intervals, 5 % of them beside the truth " * 4
    figure, _ = page("Classes", words, width=width, height=1.0)
    assert len(figure.texts) > 4
    assert not any(line.get_text().startswith("%") for line in figure.texts)
