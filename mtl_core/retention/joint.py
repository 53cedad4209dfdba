"""All tasks at once: the upper bound, which forgets nothing because nothing comes later.

It sees every task's images as often as the stages would, in mixed order. Rates are those of the
first stage, which moves the backbone and all else.
"""

from __future__ import annotations

from mtl_core.retention.base import Retention


class Joint(Retention):
    """One stage in which every batch may be of any task."""

    together = True
    own_start = True
