"""What training minimises: each loss with the label encoding and output activation that it needs inside.

Every network ends in logits, so every loss takes them, and nothing about the network changes with the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from main.config import SMOOTHED_LOSSES

FOCUS = 2.0
"""The exponent of the focal loss that its authors found best."""


def crossentropy(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """−Σ t log p, p the softmax of the logits; targets one-hot or smoothed (Szegedy et al. 2016)."""
    return -ops.sum(targets * ops.log_softmax(logits), axis=-1)


def focal(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """−Σ t (1 − p)² log p, p the softmax of the logits; targets one-hot or smoothed (Lin et al. 2017).

    Without their weight α, which balances a detector's foreground and background.
    """
    log_p = ops.log_softmax(logits)
    return -ops.sum(targets * (1.0 - ops.exp(log_p)) ** FOCUS * log_p, axis=-1)


def mse(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over the classes of (t − p)², p the softmax of the logits; targets one-hot.

    Brier's (1950) score, who takes the sum over the classes instead.
    """
    return ops.mean((targets - ops.softmax(logits)) ** 2, axis=-1)


def mae(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over the classes of |t − p|, p the softmax of the logits; targets one-hot (Ghosh et al. 2017)."""
    return ops.mean(ops.abs(targets - ops.softmax(logits)), axis=-1)


def hinge(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """max(0, 1 + s − z), z the true class's score and s the best other one; targets one-hot, no activation.

    Crammer & Singer (2001) as Keras's CategoricalHinge has it, where s is at least 0.
    """
    true = ops.sum(targets * logits, axis=-1)
    other = ops.max((1.0 - targets) * logits, axis=-1)
    return ops.relu(1.0 + other - true)


def kl_divergence(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Σ t log(t / p), p the softmax of the logits; targets one-hot or smoothed (Kullback & Leibler 1951).

    Crossentropy less the targets' own entropy: 0 at its best even where labels are smoothed.
    """
    smallest = keras.config.epsilon()  # stands for a zero target, whose t log t is 0
    return ops.sum(targets * (ops.log(ops.maximum(targets, smallest)) - ops.log_softmax(logits)), axis=-1)


def poisson(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over the classes of p − t log p, p the softmax of the logits as rates; targets one-hot.

    The negative log-likelihood of counts (Cameron & Trivedi 1998), as Keras's Poisson has it. Softmax rates
    sum to 1, so that its gradient is that of crossentropy divided by the number of classes.
    """
    log_p = ops.log_softmax(logits)
    return ops.mean(ops.exp(log_p) - targets * log_p, axis=-1)


def cosine(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """1 − t·p / (|t| |p|), p the softmax of the logits; targets one-hot (Barz & Denzler 2020).

    They compare with the scores themselves; with the softmax, `val_crossentropy` keeps its meaning.
    """
    p = ops.softmax(logits)  # its length is at least 1/√c: nothing to guard the division from
    lengths = ops.sqrt(ops.sum(targets**2, axis=-1) * ops.sum(p**2, axis=-1))
    return 1.0 - ops.sum(targets * p, axis=-1) / lengths


LOSSES: dict[str, Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]] = {
    "crossentropy": crossentropy,
    "focal": focal,
    "mse": mse,
    "mae": mae,
    "hinge": hinge,
    "kl_divergence": kl_divergence,
    "poisson": poisson,
    "cosine": cosine,
}
"""Each image's loss (n,) from its targets and logits, both float32 (n, n_classes), by name."""


@keras.saving.register_keras_serializable(package="optimize")
class TrainingLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras ships no types
    """The mean over a batch of the named loss, from integer labels (n,) and logits (n, n_classes).

    Computes in float32 under every dtype policy, and is finite with finite gradients for logits up to ±1e4.

    Args:
        loss: A name of `LOSSES`.
        n_classes: Number of classes.
        label_smoothing: Share of each label that is spread evenly over all classes.

    Attributes:
        label_smoothing: The share, a variable: assigning another needs no new trace of the training step.

    Raises:
        ValueError: If labels are to be smoothed for a loss that is not among `SMOOTHED_LOSSES`.
    """

    def __init__(self, loss: str, n_classes: int, label_smoothing: float = 0.0, name: str | None = None) -> None:
        super().__init__(name=name or loss, reduction="sum_over_batch_size", dtype="float32")
        if label_smoothing and loss not in SMOOTHED_LOSSES:
            raise ValueError(f"label_smoothing applies to {', '.join(sorted(SMOOTHED_LOSSES))}, not to {loss}")
        self.loss = loss
        self.n_classes = n_classes
        self.label_smoothing = keras.Variable(label_smoothing, dtype="float32", trainable=False)

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Each image's loss, (n,), from integer labels (n,) and logits (n, n_classes)."""
        targets = ops.one_hot(ops.cast(y_true, "int32"), self.n_classes, dtype="float32")
        if self.loss in SMOOTHED_LOSSES:
            targets = targets * (1.0 - self.label_smoothing) + self.label_smoothing / self.n_classes
        return LOSSES[self.loss](targets, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {
            "loss": self.loss,
            "n_classes": self.n_classes,
            "label_smoothing": float(self.label_smoothing),
            "name": self.name,
        }


def training_loss(name: str, label_smoothing: float, n_classes: int) -> TrainingLoss:
    """The loss that `train.loss` and `train.label_smoothing` describe; see `TrainingLoss`."""
    return TrainingLoss(name, n_classes, label_smoothing)
