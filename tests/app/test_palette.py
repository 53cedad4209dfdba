import itertools

import numpy as np
import pytest

from app.palette import (
    _METHOD_COLORS,
    COLORS,
    class_key,
    color_of,
    ink_on,
    is_background,
    readable,
    rgb,
)

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(color):
    c = np.array(rgb(color)) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(color, sight):
    seen = np.clip(np.array(SIGHTS[sight]) @ linear(color), 0, 1)
    return TO_LAB @ np.cbrt(TO_LMS @ seen)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("first", "distance"), [(10, 0.07), (31, 0.04)])
def test_colours_stay_apart_for_every_sight(sight, first, distance):
    labs = [oklab(color, sight) for color in COLORS[:first]]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(labs, 2))
    assert nearest > distance


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "cat"),
        ("car", "bus"),
        ("train", "bus"),
        ("chair", "sofa"),
        ("chair", "dining table"),
        ("bottle", "cup"),
        ("bicycle", "motorbike"),
        ("cow", "horse"),
        ("cow", "sheep"),
        ("aeroplane", "bird"),
    ],
)
def test_classes_easily_confused_are_easily_told_apart(sight, one, other):
    assert np.linalg.norm(oklab(color_of(one), sight) - oklab(color_of(other), sight)) > 0.15


def test_all_classes_have_their_own_colour():
    assert len(set(COLORS)) == len(COLORS) == 31


@pytest.mark.parametrize(
    ("name", "same"),
    [("dining table", "diningtable"), ("motorcycle", "motorbike"), ("TV", "tvmonitor")],
)
def test_spellings_of_one_class_share_its_colour(name, same):
    assert color_of(name) == color_of(same)


def test_an_unknown_class_always_gets_the_same_colour():
    assert color_of("zebra") == color_of("Zebra") in COLORS


def test_ink_reads_on_every_colour():
    for color in COLORS:
        luminance = [float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (color, ink_on(color))]
        light, dark = max(luminance), min(luminance)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_names_for_people():
    assert readable("diningtable") == "dining table"
    assert readable("cat") == "cat"
    assert is_background("Background")
    assert not is_background("cat")


def test_names_in_any_script_stay_different():
    names = ["貓", "狗", "кот", "собака", "C", "C++", "dining table"]
    assert len({class_key(name) for name in names}) == len(names)
    assert class_key("Dining_Table") == class_key("dining-table") == class_key("diningtable")


def test_methods_are_told_apart_on_white_and_on_the_dark_page():
    def light(color):
        return float(linear(color) @ [0.2126, 0.7152, 0.0722]) + 0.05

    colors = list(_METHOD_COLORS.values())
    for color in colors:  # WCAG 1.4.11
        assert light("#FFFFFF") / light(color) >= 3 and light(color) / light("#0B0F19") >= 3
    labs = [oklab(color, "normal") for color in colors]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(labs, 2)) > 0.08
