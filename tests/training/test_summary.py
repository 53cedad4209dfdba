"""The table of a run's results."""

from __future__ import annotations

import pandas as pd
import pytest

from mtl_core.types import InputError
from training.summary import summary


def records_of(scores: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(scores, columns=["stage", "task", "metric", "value"])
    return frame.assign(scope="stage")


SEQUENCE = [
    (1, "seg", "mIoU", 0.5),
    (2, "seg", "mIoU", 0.48),
    (2, "det", "mAP", 0.2),
    (2, "det", "mAP50", 0.41),
]


def test_scores_are_percent_and_drops_relative():
    alone = records_of([(1, "det", "mAP", 0.25), (1, "det", "mAP50", 0.5)])
    lines = summary(records_of(SEQUENCE), [alone]).splitlines()
    # The first stage is its own reference.
    assert lines[2] == "| seg (mIoU) | 50.0 | 48.0 | +4.0 % | 50.0 | 0.960 |"
    assert lines[3] == "| det (mAP) | 20.0 | 20.0 | +0.0 % | 25.0 | 0.800 |"
    assert lines[4] == "| det (mAP50) | 41.0 | 41.0 | +0.0 % | 50.0 | 0.820 |"


def test_without_a_reference_its_columns_are_empty():
    assert summary(records_of(SEQUENCE), []).splitlines()[3].endswith("|  |  |")


def test_what_cannot_be_a_summary_is_told():
    with pytest.raises(InputError, match=r"trained \['seg', 'det'\]: expected one task alone"):
        summary(records_of(SEQUENCE), [records_of(SEQUENCE)])
    with pytest.raises(InputError, match="trained nothing"):
        summary(records_of(SEQUENCE), [records_of([])])
    with pytest.raises(InputError, match="holds no scores"):
        summary(records_of([]), [])
