"""Fractions as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """A fraction as a percentage with as many digits as it deserves.

    What is not 0 or 100 % does not read so. ``percent`` of app/viewer/panels.js says the same.
    """
    value = round(share * 100, 6)  # sums of shares are all or none but for the last digits
    close = (0, 0.05, "< 0.1 %"), (99.95, 100, "> 99.9 %"), (100, 100.05, "> 100 %")
    for start, end, said in close:
        if start < value < end:
            return said
    whole = value in (0, 100) or 9.95 <= value < 99.5 or value > 100.5
    return f"{value:.{0 if whole else 1}f} %"
