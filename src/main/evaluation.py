"""What a model says of a test set, and every figure that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from main.wording import accuracy_text

CONFIDENCE = 0.95
MOST_IN_SUMMARY = 100
"""Classes up to which the summary has the confusion matrix, whose cells are their square."""
CALIBRATION_BINS = 15  # as in Guo et al. 2017
LEAST_PROBABILITY = float(np.finfo(np.float32).smallest_subnormal)
"""What a probability of 0 counts as, which has no logarithm: 103 nats."""


class Proportion(NamedTuple):
    """A share of images with its Wilson interval (Wilson 1927), which is sound near 0 and 1 too."""

    value: float
    low: float
    high: float
    n: int
    """Images it is a share of; of none, the three figures are NaN."""

    @classmethod
    def of(cls, count: int, n: int) -> Proportion:
        """`count` of `n`, with the 95 % interval."""
        from scipy.stats import binomtest

        if n == 0:
            return cls(np.nan, np.nan, np.nan, 0)
        interval = binomtest(int(count), int(n)).proportion_ci(CONFIDENCE, method="wilson")
        return cls(count / n, float(interval.low), float(interval.high), int(n))

    def __str__(self) -> str:
        return accuracy_text(*self)


def mean_crossentropy(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating[Any]],
    logits: NDArray[np.floating[Any]] | None = None,
) -> float:
    """Mean of −ln p(true class), in nats per image.

    Args:
        labels: (n,), the true classes.
        probabilities: (n, classes); one of 0 counts as `LEAST_PROBABILITY`.
        logits: (n, classes), of which the probabilities are the softmax, where they are known: a confident mistake
            has a probability that float32 rounds to 0, and a logarithm all the same.
    """
    from scipy.special import log_softmax

    if logits is not None:
        logarithms = log_softmax(logits.astype(np.float64), axis=1)
    else:
        logarithms = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    return float(-logarithms[np.arange(len(labels)), labels].mean())


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model says of every image of a test set; all figures follow from it."""

    model: str
    """The model's file, as it was named."""
    source: str
    """The data it was tested on."""
    classes: tuple[str, ...]
    """Names of the classes in the order of their labels."""
    images: NDArray[np.uint8]
    """(n, height, width, channels)."""
    labels: NDArray[np.int64]
    """(n,), the true classes."""
    probabilities: NDArray[np.float64]
    """(n, classes), rows sum to 1."""
    logits: NDArray[np.float32] | None = None
    """(n, classes), of which the probabilities are the softmax; None where the model does not have them."""

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(n,), the most probable class of each image."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """(n,), the probability of the predicted class."""
        return np.asarray(self.probabilities.max(axis=1))

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """(n,), whether the predicted class is the true one."""
        return np.asarray(self.predicted == self.labels)

    @cached_property
    def accuracy(self) -> Proportion:
        """Share of images whose predicted class is the true one."""
        return Proportion.of(int(self.correct.sum()), len(self.labels))

    @cached_property
    def crossentropy(self) -> float:
        """Mean of −ln p(true class), in nats per image."""
        return mean_crossentropy(self.labels, self.probabilities, self.logits)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes): images of each true class (row) by predicted class (column)."""
        from sklearn.metrics import confusion_matrix

        return np.asarray(confusion_matrix(self.labels, self.predicted, labels=range(len(self.classes))))

    @cached_property
    def per_class(self) -> tuple[ClassScores, ...]:
        """Scores of each class in the order of labels."""
        return tuple(self._scores(label) for label in range(len(self.classes)))

    def _scores(self, label: int) -> ClassScores:
        from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

        true, predicted = self.labels == label, self.predicted == label
        hits = int((true & predicted).sum())
        ranked = bool(true.any()) and not bool(true.all())  # else there is nothing to rank apart
        probability = self.probabilities[:, label]
        return ClassScores(
            name=self.classes[label],
            precision=Proportion.of(hits, int(predicted.sum())),
            recall=Proportion.of(hits, int(true.sum())),
            f1=float(f1_score(true, predicted, zero_division=np.nan)),
            roc_auc=float(roc_auc_score(true, probability)) if ranked else np.nan,
            average_precision=float(average_precision_score(true, probability)) if ranked else np.nan,
        )

    @cached_property
    def calibration(self) -> Calibration:
        """Whether the model is right as often as it says."""
        return Calibration.of(self.confidence, self.correct)

    def mistakes(self, most: int | None = None) -> NDArray[np.int64]:
        """Places of the wrong answers, the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:most]

    def hardest(self, most: int) -> NDArray[np.int64]:
        """Places of the images whose true class got the least probability, right or wrong."""
        true = self.probabilities[np.arange(len(self.labels)), self.labels]
        return np.argsort(true, kind="stable")[:most]

    def summary(self) -> dict[str, Any]:
        """The figures, JSON-able; what cannot be computed is None, and so is a very large confusion matrix."""
        return {
            "model": self.model,
            "data": self.source,
            "accuracy": {**self.accuracy._asdict(), "confidence": CONFIDENCE},
            "mistakes": int((~self.correct).sum()),
            "crossentropy": self.crossentropy,
            "expected_calibration_error": self.calibration.error,
            "classes": [scores.row() for scores in self.per_class],
            "confusion": self.confusion.tolist() if len(self.classes) <= MOST_IN_SUMMARY else None,
        }


class ClassScores(NamedTuple):
    """How well one class is told from the others; NaN where no image allows it to be computed."""

    name: str
    precision: Proportion
    """Of the images given this class, the share that have it."""
    recall: Proportion
    """Of the images that have this class, the share given it; `n` of it is the class's support."""
    f1: float
    """Harmonic mean of precision and recall."""
    roc_auc: float
    """Area under the ROC curve, this class against the rest."""
    average_precision: float
    """Area under the precision-recall curve, as a sum over its steps."""

    def row(self) -> dict[str, Any]:
        """The row of classes.csv; None where a figure is NaN."""
        figures = {
            "precision": self.precision.value,
            "precision_low": self.precision.low,
            "precision_high": self.precision.high,
            "recall": self.recall.value,
            "recall_low": self.recall.low,
            "recall_high": self.recall.high,
            "f1": self.f1,
            "roc_auc": self.roc_auc,
            "average_precision": self.average_precision,
        }
        finite = {key: value if np.isfinite(value) else None for key, value in figures.items()}
        return {"class": self.name, "support": self.recall.n, **finite}


@dataclass(frozen=True, eq=False)
class Calibration:
    """Confidence against accuracy, in bins of equal width (Guo et al. 2017, arXiv 1706.04599)."""

    edges: NDArray[np.float64]
    """(bins + 1,)."""
    confidence: NDArray[np.float64]
    """(bins,), mean confidence of each bin's images; NaN of an empty one."""
    accuracy: tuple[Proportion, ...]
    """Share of each bin's images that are right."""
    error: float
    """Expected calibration error: mean distance of the two, weighted by images."""

    @classmethod
    def of(cls, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Calibration:
        """From each image's confidence and whether it was right."""
        edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
        bins = np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, CALIBRATION_BINS - 1)
        counts = np.bincount(bins, minlength=CALIBRATION_BINS)
        right = np.bincount(bins, weights=correct, minlength=CALIBRATION_BINS)
        sums = np.bincount(bins, weights=confidence, minlength=CALIBRATION_BINS)
        mean = np.divide(sums, counts, out=np.full(CALIBRATION_BINS, np.nan), where=counts > 0)
        accuracy = tuple(Proportion.of(int(hits), int(n)) for hits, n in zip(right, counts, strict=True))
        return cls(edges, mean, accuracy, float(np.abs(sums - right).sum() / len(confidence)))
