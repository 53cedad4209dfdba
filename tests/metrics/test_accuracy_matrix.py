"""What a run kept, read off its records."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mtl_core.metrics.accuracy_matrix import (
    accuracy_matrix,
    average_forgetting,
    backward_transfer,
    forward_transfer,
    retained,
)

COLUMNS = ["stage", "task", "metric", "value", "scope"]
SCORES = [
    (1, "seg", "mIoU", 0.9, "subset"),  # only whole splits count
    (1, "seg", "mIoU", 0.1, "stage"),  # repeated below: the last one counts
    (1, "seg", "mIoU", 0.5, "stage"),
    (2, "seg", "mIoU", 0.6, "stage"),
    (2, "det", "mAP", 0.2, "stage"),
    (2, "det", "mAP50", 0.4, "stage"),  # not what drops are measured in
    (3, "seg", "mIoU", 0.4, "stage"),
    (3, "det", "mAP", 0.2, "stage"),
    (3, "cls", "top1", 0.9, "stage"),
]


def matrix_of(rows: list[tuple]) -> pd.DataFrame:
    return accuracy_matrix(pd.DataFrame(rows, columns=COLUMNS))


def test_rows_are_stages_and_columns_tasks():
    matrix = matrix_of(SCORES)
    assert matrix.columns.tolist() == ["seg", "det", "cls"]
    assert matrix["seg"].tolist() == [0.5, 0.6, 0.4]
    assert matrix["det"].isna().tolist() == [True, False, False]
    assert matrix_of([]).empty


def test_a_task_without_a_number_is_left_out():
    nothing = [(stage, "depth", "delta1", math.nan, "stage") for stage in (2, 3)]
    pd.testing.assert_frame_equal(matrix_of(SCORES + nothing), matrix_of(SCORES))
    assert matrix_of(nothing).empty and retained(matrix_of(nothing)) == []


def test_what_is_left_is_measured_from_the_base():
    seg, det, cls = retained(matrix_of(SCORES))
    assert (seg.base, seg.final) == (0.5, 0.4)
    assert seg.drop == pytest.approx(0.2) and seg.retention == pytest.approx(0.8)
    assert det.retention == cls.retention == 1


def test_a_base_of_zero_has_no_drop():
    rows = [(1, "seg", "mIoU", 0.0, "stage"), (2, "seg", "mIoU", 0.1, "stage")]
    (row,) = retained(matrix_of(rows))
    assert math.isnan(row.drop) and math.isnan(row.retention)


def test_forgetting_and_transfer_are_means_over_earlier_tasks():
    matrix = matrix_of(SCORES)
    # seg: best 0.6, base 0.5, final 0.4; det: 0.2 throughout; cls is the last and counts not.
    assert average_forgetting(matrix) == pytest.approx((0.2 + 0.0) / 2)
    assert backward_transfer(matrix) == pytest.approx((-0.1 + 0.0) / 2)
    alone = matrix_of(SCORES[1:3])
    assert math.isnan(average_forgetting(alone)) and math.isnan(backward_transfer(alone))


def test_forward_transfer_is_against_the_task_alone():
    alone = {"seg": 0.9, "det": 0.3, "cls": 0.8}
    assert forward_transfer({"det": 0.2, "cls": 0.9}, alone) == pytest.approx(0.0)
    assert forward_transfer({"det": 0.2}, alone) == pytest.approx(-0.1)
    assert math.isnan(forward_transfer({"det": 0.2}, {"seg": 0.9}))
    assert math.isnan(forward_transfer({}, alone))
