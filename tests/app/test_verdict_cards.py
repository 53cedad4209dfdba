"""What a card says of a task, with and without an interval."""

from __future__ import annotations

from typing import Any

import pytest
from stand_in import drop

from app.components.verdict_cards import in_plain_words, verdict_cards
from app.language import Words

WORDS = Words("en")
SEG = drop("seg", "mIoU", 1, 0.60, 3, 0.588, 150)
CLS = drop("cls", "top1", 3, 0.95, 3, 0.95, 400)


def judged(verdict: str = "pass", low: float | None = -0.01, high: float | None = 0.04, **changes):
    row: dict[str, Any] = {"verdict": verdict, "drop": {"value": 0.02, "low": low, "high": high}}
    row |= {"floor_metric": "mIoU", "floor": 0.1, "reached": 0.588}
    return {"seg": row | changes}


def test_without_a_verdict_the_drop_alone_is_told():
    page = verdict_cards([SEG, CLS], {}, WORDS)
    assert "98 %" in page and "✓ kept" in page and "the last stage" in page
    assert "differences of a few percent can be chance" in page and "95 %:" not in page


@pytest.mark.parametrize(
    ("verdict", "high", "words", "low"),
    [("pass", 0.04, "✓ kept", 96), ("undecided", 0.08, "? undecided", 92)],
)
def test_a_verdict_comes_with_its_interval(verdict: str, high: float, words: str, low: int):
    page = verdict_cards([SEG], judged(verdict, high=high), WORDS)
    assert words in page and f"95 %: {low} % to 101 % kept" in page and "bootstrap" in page


def test_one_training_is_spoken_of_only_where_no_other_seed_is_shown():
    assert "One training: another seed" in verdict_cards([SEG], judged(), WORDS)
    assert "seed" not in verdict_cards([SEG], judged(), WORDS, several_seeds=True)


def test_an_end_below_all_is_not_rounded_to_all():
    page = verdict_cards([SEG], judged("undecided", 0.003, 0.09), WORDS)
    assert "Something was lost for certain" in page and "95 %: 91 % to 99.7 %" in page


def test_a_task_that_never_reached_its_floor_was_never_learned():
    page = verdict_cards([SEG], judged(floor=0.7), WORDS)
    assert "✗ never learned: mIoU 0.588, asked is 0.700" in page


def test_a_task_that_lost_nine_tenths_is_forgotten_and_not_too_weak():
    lost = drop("seg", "mIoU", 1, 0.48, 3, 0.048, 60)
    row = judged("fail", 0.86, 0.92, metric="mIoU", base=0.48, reached=0.048)
    page = verdict_cards([lost], row, WORDS)
    assert "95 %: 86 % to 92 % forgotten" in page  # of what leads: the share that is forgotten
    assert "90 % <small>forgotten" in page and "✗ forgotten" in page and "never" not in page
    # By another metric than the floor's, what it was right after its stage is known of the records.
    det = drop("det", "mAP", 2, 0.04, 3, 0.014, 60)
    row = judged("fail", 0.36, 0.94, floor_metric="mAP50", floor=0.05, reached=0.044)["seg"]
    assert "✗ forgotten" in verdict_cards([det], {"det": row | {"base_reached": 0.11}}, WORDS)
    assert "✗ never" in verdict_cards([det], {"det": row | {"base_reached": 0.03}}, WORDS)


def test_more_than_before_is_called_gained():
    more = drop("seg", "mIoU", 1, 0.50, 3, 0.57, 60)
    page = verdict_cards([more], judged("undecided", -0.6, 0.12), WORDS)
    assert "+14 % <small>gained" in page and "? undecided" in page and "114" not in page
    assert "95 %: −12 % to +60 % gained" in page  # of what leads


def test_an_undefined_interval_is_left_out():
    assert "95 %:" not in verdict_cards([SEG], judged("undecided", None, None), WORDS)


@pytest.mark.parametrize(
    ("verdict", "low", "high", "sentence"),
    [
        ("pass", 0.008, 0.035, "A small loss, but a certain one"),
        ("pass", -0.01, 0.04, "No loss that could be told from chance"),
        ("undecided", -0.01, 0.08, "No loss that could be told from chance"),
        ("undecided", 0.01, 0.08, "Something was lost for certain"),
        ("pass", -0.03, -0.01, "Better than before, and not by chance"),
        ("pass", 0.0, 0.0, "Nothing was lost at all"),
        ("fail", 0.3, 0.5, None),  # the verdict says it
        ("undecided", None, None, None),
    ],
)
def test_what_an_interval_means_is_said_in_plain_words(verdict, low, high, sentence):
    row = judged(verdict, low, high)["seg"]
    said = in_plain_words(SEG, row, WORDS)
    assert [s.startswith(sentence) for s in said] == [True] * bool(sentence)
    page = verdict_cards([SEG], {"seg": row}, WORDS)
    assert (sentence or "<p class='oh-quiet") in page


@pytest.mark.parametrize(("words", "kept"), [(WORDS, "Kept"), (Words("zh-TW"), "有保留")])
def test_what_was_lost_for_certain_is_not_called_kept(words: Words, kept: str):
    det = drop("det", "mAP", 2, 0.083, 3, 0.078, 120)
    said = in_plain_words(det, judged("undecided", 0.01, 0.08)["seg"], words)
    assert said[0] == words("plain.some") and len(said) == 2 and kept not in said[1]


def test_a_weak_score_is_called_weak():
    det = drop("det", "mAP", 2, 0.083, 3, 0.083, 120)
    row = judged("pass")["seg"] | {"floor_metric": "mAP50", "floor": 0.05, "reached": 0.25}
    assert "Weak to begin with: mAP 0.08 of 1." in verdict_cards([det], {"det": row}, WORDS)
    assert "weak" not in verdict_cards([det], {"det": row | {"verdict": "fail"}}, WORDS)
    assert "weak" not in verdict_cards([SEG], judged(), WORDS)
