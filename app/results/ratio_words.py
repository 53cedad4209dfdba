"""What a benchmark's ratios compare, in words and in groups. Pure functions."""

from __future__ import annotations

import re

from app.language import Words

OTHER = "other"
# In the order in which they are shown: what stands over what, its group and its sentence's key.
# Numbers in the names, of pixels or images, go into the sentences.
_KNOWN = [
    (r"onehead / three specialists, usual sizes", "networks", "usual"),
    (r"onehead, (?P<px>\d+) px / three specialists, usual sizes", "networks", "smaller"),
    (r"onehead / three specialists, (?P<px>\d+) px", "networks", "same_size"),
    (r"onehead / three single-task copies", "networks", "copies"),
    (r"onehead, (?P<px>\d+) px / all beside, usual sizes", "others", "usual"),
    (r"onehead, (?P<px>\d+) px / all beside, (?P=px) px", "others", "same_size"),
    (r"onehead, (?P<px>\d+) px / (?P<name>.+), (?P<other>\d+) px", "others", "one"),
    (r"whole network / bare backbone", "backbone", "rewritten"),
    (r"whole network / bare backbone as exported", "backbone", "exported"),
    (r"(?P<n>\d+) stages, side by side / one stage", "stages", "shared"),
    (r"(?P<n>\d+) stages, one after another / one stage", "stages", "in_turn"),
    (r"onnx / torch eager", "around", "runtime"),
    (r"onnx / torch eager, channels last", "around", "channels_last"),
    (r"batch (?P<n>\d+) / batch 1", "around", "batch"),
    (r"1 thread / (?P<n>\d+) threads", "around", "threads"),
    (r"all but the network, all pixels / network", "around", "all_pixels"),
    (r"all but the network, draft / network", "around", "draft"),
]
GROUPS = ("networks", "others", "backbone", "stages", "around", OTHER)


def placed(name: str, words: Words) -> tuple[int, str, str]:
    """Where a ratio stands, its group of ``GROUPS``, and what it compares.

    One that nobody described comes last and keeps its own name.
    """
    for place, (pattern, group, key) in enumerate(_KNOWN):
        found = re.fullmatch(pattern, name)
        if found:
            return place, group, words(f"ratio.{group}_{key}", **found.groupdict())
    return len(_KNOWN), OTHER, name
