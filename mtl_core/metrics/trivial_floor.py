"""The least score that counts as having learned a task at all.

A detector that finds nothing loses nothing; so the gate needs a floor beside a small drop: three
times what a predictor scores that never sees the image, or, where that would need more than
half of what is left to learn, that half (0.75 for two balanced classes, not 1.5).
"""

from __future__ import annotations

TIMES_TRIVIAL = 3.0


def floor_over(trivial: float) -> float:
    """The floor over the score of a predictor that never sees the image; both fractions."""
    return min(TIMES_TRIVIAL * trivial, (1 + trivial) / 2)
