"""Fractions as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """A fraction as a percentage with as many digits as it deserves."""
    value = share * 100
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"
