from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from main.evaluation import Evaluation
from main.evaluation_text import MAX_TABLE_CLASSES, print_evaluation


def printed(classes, labels, predicted):
    images = np.zeros((len(labels), 4, 4, 1), np.uint8)
    probabilities = np.eye(len(classes))[predicted]
    text = io.StringIO()
    evaluation = Evaluation("m/cnn.h5", "pets [1]", tuple(classes), images, np.array(labels), probabilities)
    print_evaluation(evaluation, Path("m/evaluation"), Console(file=text, width=200))
    return text.getvalue().splitlines()


def test_names_are_shown_as_they_are_written_and_mistakes_counted():
    lines = printed(["[bold]", "[/x]", "eel"], [0, 1, 1, 2], [0, 1, 0, 2])
    rows = [line.replace(" %", "%").split() for line in lines]
    assert ["[bold]", "50.00%", "100.00%", "66.67%", "1"] in rows
    assert ["[/x]", "100.00%", "50.00%", "66.67%", "2"] in rows
    assert ["[bold]", "1", "·", "·"] in rows
    assert ["[/x]", "1", "1", "·"] in rows
    assert lines[-1] == "accuracy 75.00 % (95 % 30.06 to 95.44, 4 images) on pets [1]"


def test_figure_that_cannot_be_computed_is_a_dash():
    assert ["never", "–", "–", "–", "0"] in [line.split() for line in printed(["cat", "never"], [0], [0])]


def test_confusion_of_many_classes_is_left_to_the_table():
    names = [f"c{n}" for n in range(MAX_TABLE_CLASSES + 1)]
    labels = list(range(len(names)))
    assert "true class by predicted class:" not in printed(names, labels, labels)
    assert "true class by predicted class:" in printed(names[:-1], labels[:-1], labels[:-1])
