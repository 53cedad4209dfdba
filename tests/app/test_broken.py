"""What broke: filters, words and pictures, with the data at hand and without it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_in import NAMES, StandInEngine, make_run

from app.engines import EngineShelf
from app.evidence import Evidence
from app.language import Words
from app.runs import RunShelf
from app.site import Site
from app.tabs.broken import ANY, broken_rows, caption
from mtl_core.run import Run
from mtl_core.types import InputError

WORDS = Words("en")
ROWS = [
    ("p1", "seg", 1, 3, 0.4, {"mask eaten": 0.3, "wrong class": 0.1}, ["dog"]),
    ("p2", "seg", 1, 3, 0.1, {"mask flooded": 0.1}, ["background"]),
    ("p1", "seg", 1, 2, 0.2, {"mask eaten": 0.2}, ["dog"]),
    ("q1", "det", 2, 3, 1.0, {"lost box": 2.0}, ["cat"]),
]
KEYS = ("picture", "task", "before", "after", "loss", "kinds", "classes")


def judged(folder: Path) -> Run:
    run = make_run(folder, "forgets")
    rows = [dict(zip(KEYS, row, strict=True)) for row in ROWS]
    (run.path / "regressions.json").write_text(json.dumps({"rows": rows}))
    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures with masks, left half dog."""
    folder = tmp_path / "data" / "mini_voc_seg" / "val"
    folder.mkdir(parents=True)
    mask = np.zeros((60, 80), np.uint8)
    mask[:, :40], mask[0] = 2, 255
    for stem, grey in (("p1", 90), ("p2", 160)):
        Image.fromarray(np.full((60, 80, 3), grey, np.uint8)).save(folder / f"{stem}.jpg")
        Image.fromarray(mask).save(folder / f"{stem}.png")
    (folder.parent / "classes.txt").write_text("\n".join(NAMES["seg"]) + "\n")
    return tmp_path / "data"


def with_predictions(run: Run) -> Run:
    folder = run.path / "predictions"
    folder.mkdir()
    masks = {f"{stem}/mask": np.full((60, 80), 3, np.uint8) for stem in ("p1", "p2")}
    for number in (1, 2, 3):
        np.savez_compressed(folder / f"stage{number}_seg.npz", **masks)
    return run


def site_of(run: Run, evidence: Evidence | None = None) -> Site:
    return Site(RunShelf([run]), EngineShelf(StandInEngine), evidence=evidence)


def test_the_widest_span_comes_first_and_filters_narrow_it(tmp_path: Path):
    site = site_of(judged(tmp_path))
    span, kind, of_class, told, gallery, table, shown = broken_rows(
        site, None, "seg", None, None, None, WORDS
    )
    assert span["value"] == "1-3" and [value for _, value in span["choices"]] == ["1-3", "1-2"]
    assert [value for _, value in kind["choices"]] == [
        ANY,
        "mask eaten",
        "mask flooded",
        "wrong class",
    ]
    assert told.startswith("2 pictures") and "--data DIR" in told
    assert gallery["visible"] is False and shown == []
    assert list(table["value"]["picture"]) == ["p1", "p2"]
    _, kind, _, told, _, table, _ = broken_rows(
        site, None, "seg", "1-3", "mask flooded", ANY, WORDS
    )
    assert kind["value"] == "mask flooded" and list(table["value"]["picture"]) == ["p2"]
    # A filter that another choice has emptied lets everything through again.
    _, kind, of_class, *_ = broken_rows(site, None, "det", "1-3", "mask flooded", "dog", WORDS)
    assert kind["value"] == of_class["value"] == ANY


def test_pictures_are_shown_as_the_later_lesson_saw_them(tmp_path: Path, data: Path):
    run = with_predictions(judged(tmp_path))
    site = site_of(run, Evidence(data))
    *_, told, gallery, _, shown = broken_rows(site, None, "seg", None, None, None, WORDS)
    assert "Click one" in told and [row["picture"] for row in shown] == ["p1", "p2"]
    picture, words = gallery["value"][0]
    assert picture.shape == (60, 80, 3) and picture.std() > 0  # grey no longer: a mask lies on it
    assert words == "dog: mask eaten 30 %, wrong class 10 %"


def test_a_picture_opens_with_what_people_annotated(tmp_path: Path, data: Path):
    run = with_predictions(judged(tmp_path))
    evidence = Evidence(data)
    look = evidence.look(run, "seg", "p1")
    assert look.truth is not None and look.truth.taught == ("seg",) and look.truth.number == 0
    mask = look.truth.prediction.mask
    assert mask is not None and (mask[1:, :40] == 2).all() and (mask[0] == 0).all()
    assert look.placed is not None and data not in look.placed.parents
    with pytest.raises(InputError, match="no seg picture p9"):
        evidence.item("seg", "p9")


def test_a_run_that_was_not_judged_says_how_to(tmp_path: Path):
    site = site_of(make_run(tmp_path, "keeps"))
    _, _, _, told, gallery, table, shown = broken_rows(site, None, "seg", None, None, None, WORDS)
    assert "training.verdicts" in told and not gallery["visible"] and not table["visible"]
    assert shown == []


def test_boxes_are_counted_and_chinese_is_spoken():
    row = dict(zip(KEYS, ROWS[3], strict=True))
    assert caption(row, WORDS) == "cat: lost box 2"
    assert "框遺失 2" in caption(row, Words("zh-TW"))


def test_a_damaged_list_is_told(tmp_path: Path):
    run = judged(tmp_path)
    (run.path / "regressions.json").write_text('{"rows": [{"picture": 1}]}')
    with pytest.raises(InputError, match=r"regressions\.json: expected what"):
        run.regressions()
