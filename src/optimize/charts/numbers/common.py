"""What the numbers of several charts share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class NotForThisSweep(ValueError):
    """A chart that would say nothing about this sweep; the message says why."""


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, degrees))
