"""One fixed colour per class, the same in every stage, tab and figure.

Seven are Okabe and Ito's (https://jfly.uni-koeln.de/color/); the others were chosen one by one so
that the smallest OKLab distance to those before them stays as large as it can under normal sight
and under Machado's full protan, deutan and tritan simulations (Machado et al. 2009). More than
about a dozen colours cannot all be told apart by everyone, so the most frequent classes share the
first ten, classes easily taken for one another lie far apart, and whatever is coloured is also
named: on the boxes, in the legend, under the pointer.
"""

from __future__ import annotations

import re
import zlib

from mtl_core.tasks import TASKS

BACKGROUND = "background"

_IN_ORDER_OF_USE = {
    "person": "#D55E00",
    "car": "#F0E442",
    "dog": "#56B4E9",
    "cat": "#0072B2",
    "bus": "#009E73",
    "chair": "#00FFEE",
    "bird": "#E69F00",
    "diningtable": "#CC79A7",
    "bottle": "#9955FF",
    "cup": "#99CC88",
    "train": "#BB33CC",
    "sofa": "#994466",
    "bicycle": "#DDBBFF",
    "motorbike": "#8888DD",
    "aeroplane": "#CC0099",
    "boat": "#778844",
    "horse": "#BBEEAA",
    "cow": "#BB1100",
    "sheep": "#7700EE",
    "pottedplant": "#88AA66",
    "tvmonitor": "#00DDCC",
    "tench": "#FFBB55",
    "englishspringer": "#BB77FF",
    "cassetteplayer": "#FF88FF",
    "chainsaw": "#CC99CC",
    "church": "#885599",
    "frenchhorn": "#EE4455",
    "garbagetruck": "#EE55CC",
    "gaspump": "#AA9900",
    "golfball": "#9900CC",
    "parachute": "#7766DD",
}
_SAME_CLASS = {
    "motorcycle": "motorbike",
    "airplane": "aeroplane",
    "couch": "sofa",
    "tv": "tvmonitor",
}
_SPACED = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "TV monitor"}

COLORS = tuple(_IN_ORDER_OF_USE.values())

# Tasks, in the order in which they are known, have colours of no class; they differ in lightness,
# too, and always come with a marker of their own.
_TASK_COLORS = ("#3F51B5", "#0097A7", "#A1477E", "#6D7B3A", "#8A5A44")
_TASK_MARKERS = ("circle", "square", "diamond", "triangle-up", "star")
# Verdicts have theirs: kept and forgotten, a pair that colour-blind eyes tell apart.
KEPT, FORGOTTEN = "#2F7DB8", "#C2410C"
# Methods' are read on white and on black alike; in the figures they come with shapes of their own.
_METHOD_COLORS = {
    "finetune": "#D55E00",
    "ewc": "#0097A7",
    "lwf": "#AA7A00",
    "replay": "#9955FF",
    "distill": "#2F7DB8",
    "progressive": "#C2508F",
    "joint": "#6D7B3A",
}
NEUTRAL = "#5B6CA8"  # marks that stand for neither a class, nor a task, nor a verdict
# From low to high values of a map of numbers: viridis at five places.
RAMP = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")


def _place(task: str) -> int:
    known = list(TASKS.infos)
    return known.index(task) if task in known else zlib.crc32(task.encode())


def task_color(task: str) -> str:
    """A task's colour in figures."""
    return _TASK_COLORS[_place(task) % len(_TASK_COLORS)]


def method_color(method: str) -> str:
    """A method's colour in figures; one of a visitor's own gets that of marks in general."""
    return _METHOD_COLORS.get(method, NEUTRAL)


def task_marker(task: str) -> str:
    """A task's marker in figures, by Plotly's name."""
    return _TASK_MARKERS[_place(task) % len(_TASK_MARKERS)]


def class_key(name: str) -> str:
    """One spelling for one class: VOC's "diningtable" is COCO's "dining table"."""
    key = re.sub(r"[\s_-]", "", name.casefold())
    return _SAME_CLASS.get(key, key)


def is_background(name: str) -> bool:
    """Whether this class means "nothing that is known"."""
    return class_key(name) == BACKGROUND


def color_of(name: str) -> str:
    """The class's colour as ``#RRGGBB``; a name never seen gets one that stays its own."""
    key = class_key(name)
    return _IN_ORDER_OF_USE.get(key) or COLORS[zlib.crc32(key.encode()) % len(COLORS)]


def rgb_of(name: str) -> tuple[int, int, int]:
    """The class's colour as three integers, 0 to 255."""
    return rgb(color_of(name))


def rgb(color: str) -> tuple[int, int, int]:
    """``#RRGGBB`` as three integers, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def ink_on(color: str) -> str:
    """Black or white, whichever reads better on ``color`` (WCAG relative luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in rgb(color))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#FFFFFF"


def readable(name: str) -> str:
    """A class name with the spaces that VOC leaves out."""
    return _SPACED.get(class_key(name), name)
