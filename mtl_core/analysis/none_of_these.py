"""When a classifier should say that an image is of none of its classes.

Images of its classes and images of other data sets are scored by what the logits say of them. The
threshold leaves a chosen share of the known images below it, as the true positive rate of 95 % does
at which such scores are usually compared; of two scores the one is taken that rejects more of the
others there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtl_core.decoding.probabilities import ACCEPTANCE_SCORES
from mtl_core.types import Acceptance


@dataclass(frozen=True)
class Separation:
    """How well a score tells known images from others.

    Attributes:
        acceptance: the score and its threshold.
        auroc: share of pairs of a known and another image in which the known one scores higher.
        false_alarms: share of known images below the threshold.
        rejected: share of the others below it.
    """

    acceptance: Acceptance
    auroc: float
    false_alarms: float
    rejected: float


def auroc(known: np.ndarray, others: np.ndarray) -> float:
    """Area under the ROC curve; equal scores count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, known, "left") + np.searchsorted(ordered, known, "right")
    return float(below.mean() / (2 * len(others)))


def threshold(known: np.ndarray, false_alarms: float) -> float:
    """The largest least score that leaves at most such a share of known images below it."""
    ordered = np.sort(known)
    below = int(false_alarms * len(ordered))
    # Half-way between two images, so that neither lies on the edge.
    return float(ordered[max(0, below - 1) : below + 1].mean())


def separations(
    known: np.ndarray, others: np.ndarray, false_alarms: float
) -> dict[str, Separation]:
    """What every score of ACCEPTANCE_SCORES does, the one that rejects most of the others first.

    Args:
        known: N x C logits of images of the classes.
        others: M x C logits of images of none of them.
        false_alarms: the share of known images that may be rejected, 0 to below 1.
    """
    found = {}
    for name, score in ACCEPTANCE_SCORES.items():
        inside, outside = (np.array([score(row) for row in part]) for part in (known, others))
        least = threshold(inside, false_alarms)
        found[name] = Separation(
            Acceptance(name, least),
            auroc(inside, outside),
            float((inside < least).mean()),
            float((outside < least).mean()),
        )
    return dict(sorted(found.items(), key=lambda item: -item[1].rejected))


def rejected(logits: np.ndarray, acceptance: Acceptance) -> float:
    """The share of N x C logits below a threshold."""
    score = ACCEPTANCE_SCORES[acceptance.score]
    return float(np.mean([score(row) < acceptance.least for row in logits]))
