"""What changed, as the browser says it: the same as programs are told, from the same answers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import app.viewer
from app.language import Words
from app.results.changes import MATCH_IOU, STEADY_IOU, compare_boxes, compare_masks
from app.results.percentages import percent
from mtl_core.types import Boxes

VIEWER = Path(app.viewer.__file__).parent
SCRIPT = "".join((VIEWER / name).read_text() for name in ("panels.js", "changes.js"))
NAMES = ["person", "dog", "cat"]
CLASSES = [
    {"name": n, "shown": n, "color": "#D55E00", "ink": "#000", "background": False} for n in NAMES
]
RULES = {"match_iou": MATCH_IOU, "steady_iou": STEADY_IOU}


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


def asked(page, call: str, *given):
    return page.evaluate(f"given => {{ {SCRIPT}; return {call}; }}", json.loads(json.dumps(given)))


def sent(boxes: Boxes) -> list[dict]:
    rows = zip(boxes.xyxy.tolist(), boxes.scores.tolist(), boxes.labels.tolist(), strict=True)
    return [{"xyxy": b, "score": s, "label": c, "c": CLASSES[c]} for b, s, c in rows]


def some_boxes(random: np.random.Generator, count: int) -> Boxes:
    corner = random.uniform(0, 30, (count, 2))
    xyxy = np.concatenate([corner, corner + random.uniform(15, 40, (count, 2))], axis=1)
    scores = -np.sort(-random.uniform(0, 1, count))
    return Boxes(xyxy.astype(np.float32), scores.astype(np.float32), random.integers(0, 3, count))


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_masks_are_compared_as_programs_are_told(page, seed):
    random = np.random.default_rng(seed)
    before, after = some_boxes(random, 6), some_boxes(random, 5)
    told = compare_boxes(before, after, NAMES, NAMES)
    found = asked(page, "compareBoxes(...given)", sent(before), sent(after), MATCH_IOU, STEADY_IOU)
    kinds = {kind: sum(change.kind == kind for change in told) for kind in found}
    assert {kind: len(changes) for kind, changes in found.items()} == kinds
    masks = [random.integers(0, 3, (9, 7)).astype(np.uint8) for _ in range(2)]
    parts = [{"ids": mask.ravel().tolist(), "classes": CLASSES} for mask in masks]
    moved = asked(page, "compareMasks(...given)", *parts)
    groups = {(m["before"]["name"], m["after"]["name"]): m["share"] for m in moved}
    expected = {(c.before, c.after): c.share for c in compare_masks(*masks, NAMES, NAMES)}
    assert groups == pytest.approx(expected)


def test_percentages_read_as_in_python(page):
    shares = [
        0,
        0.0001,
        0.0007,
        0.004,
        0.0994,
        0.123,
        0.9949,
        0.9968,
        0.9999,
        1,
        1 + 2e-16,
        1.0001,
        1.004,
        1.2,
    ]
    assert asked(page, "given.map(percent)", *shares) == [percent(share) for share in shares]


def sides(name: str = "dog"):
    classes = [CLASSES[0], {**CLASSES[1], "name": name, "shown": name}]
    mask = {"kind": "label_map", "classes": classes}
    boxes = {"kind": "boxes", "boxes": [{"xyxy": [0, 0, 9, 9], "score": 0.9, "c": classes[1]}]}
    bars = {"kind": "bars", "classes": classes}
    before = {
        "seg": mask | {"ids": [1, 1]},
        "det": boxes,
        "cls": bars | {"probabilities": [0.2, 0.8]},
    }
    after = {"seg": mask | {"ids": [1, 0]}, "det": boxes | {"boxes": []}}
    return {"parts": before}, {"parts": after | {"cls": bars | {"probabilities": [0.6, 0.4]}}}


def table(page, before, after) -> str:
    call = (
        "changesTable(given[0], given[1], part => part.boxes, given[2], given[3], given[4])"
        ".map(node => node.outerHTML).join('')"
    )
    return asked(page, call, before, after, RULES, ["seg", "det", "cls"], Words("en").table)


def test_lost_boxes_moved_pixels_and_another_top_class_are_told(page):
    html = table(page, *sides())
    for words in ("1 lost", "50 % of the pixels changed class", "dog 80 % → person 60 %"):
        assert words in html


@pytest.mark.parametrize(("pixels", "said"), [(3000, "&lt; 0.1 %"), (1500, "0.1 %")])
def test_few_changed_pixels_are_not_called_none(page, pixels, said):
    before, after = sides()
    before["parts"]["seg"]["ids"] = [1] * pixels
    after["parts"]["seg"]["ids"] = [0] + [1] * (pixels - 1)
    html = table(page, before, after)
    assert f"{said} of the pixels changed class" in html and f">{said}</td>" in html
    after["parts"]["seg"]["ids"] = [1] * pixels
    assert "no pixel changed class" in table(page, before, after)


def test_none_of_these_is_the_answer_and_comes_before_the_best_class(page):
    part = sides()[0]["parts"]["cls"] | {"known": False, "certainty": 2.314, "least": 3.029}
    call = "(() => { const p = tag('div'); showBars(p, ...given); return p.innerHTML; })()"
    rows = re.findall(
        r"<span>(.*?)</span><span>(.*?)</span>", asked(page, call, part, "cls", Words("en").table)
    )
    assert rows == [("none of these", ""), ("dog", "80 %"), ("person", "20 %")]
    hint = asked(page, "barsHint(...given)", part, Words("en").table)
    assert hint.endswith("(certainty 2.31; below 3.03 the answer is “none of these”)")
    rows = asked(page, call, part | {"known": True}, "cls", Words("en").table)
    assert rows and "none of these" not in str(rows)


def test_rows_of_moved_pixels_add_up_to_all_that_moved(page):
    before, after = sides()
    classes = [{**CLASSES[0], "name": name, "shown": name} for name in "abcdef"]
    before["parts"]["seg"] |= {"classes": classes, "ids": [0] * 20}
    after["parts"]["seg"] |= {
        "classes": classes,
        "ids": [0] * 4 + [1] * 6 + [2] * 4 + [3] * 3 + [4] * 2 + [5],
    }
    html = table(page, before, after)
    assert "80 % of the pixels changed class" in html
    assert re.findall(r"([\d.]+) %</td>", html) == ["30", "20", "15", "10", "5.0"]
    assert "<td>others</td>" in html
    assert "others" not in table(page, *sides())


def test_none_of_these_is_a_class_of_its_own(page):
    before, after = sides()
    after["parts"]["cls"]["known"] = False
    assert "dog 80 % → none of these (closest: person 60 %)" in table(page, before, after)
    assert "none of these (closest: person 60 %) → none of these" in table(page, after, after)
    words = Words("en").table
    said = asked(page, "partWords(given[0], null, given[1], 0)", after["parts"]["cls"], words)
    assert said == "none of these (closest: person 60 %)"
    hint = "barsHint(given[0], given[1])"
    assert asked(page, hint, after["parts"]["cls"], words).startswith("The image looks like none")
    assert "whatever is in the image" in asked(page, hint, before["parts"]["cls"], words)


def test_a_task_that_one_side_was_never_trained_is_said(page):
    before, after = sides()
    del before["parts"]["det"]
    assert "only one side was trained detection" in table(page, before, after)


def test_class_names_cannot_smuggle_markup(page):
    assert "<img" not in table(page, *sides("<img src=x onerror=alert(1)>"))


def test_the_line_tells_the_same_shortly(page):
    call = "changesLine(given[0], given[1], part => part.boxes, given[2], given[3], given[4])"
    given = (*sides(), RULES, ["seg", "det", "cls"], Words("en").table)
    assert asked(page, call, *given).startswith(
        "50 % of the pixels changed class; Boxes: 1 lost; dog"
    )
    same = sides()[0]
    assert asked(page, call, same, same, *given[2:]) == "no pixel changed class"
