"""Answers as plain JSON types, in the pixels of the image as it was sent. Pure functions."""

from __future__ import annotations

from typing import Any

from app.results.changes import Changes, mask_shares
from app.results.downloads import coco_results
from app.results.run_tables import class_drops, drops, stage_matrix, stage_order
from app.services.engines import StageAnswer
from app.services.viewed_image import ViewedImage
from mtl_core.runs.run_directory import Run
from mtl_core.types import Boxes


def answer_json(answer: StageAnswer, viewed: ViewedImage) -> dict[str, Any]:
    """One stage's answer to an image."""
    said = answer.prediction
    sent = viewed.in_sent_frame(said, Boxes)
    shares = probabilities = None
    if said.mask is not None:
        named_shares = mask_shares(said.mask, said.names("label_map"))
        shares = {name: float(share) for name, share in named_shares.items()}
    if said.probabilities is not None:
        named = zip(said.names("bars"), said.probabilities, strict=True)
        probabilities = {name: float(p) for name, p in named}
    return {
        "stage": answer.number,
        "trained": list(answer.trained),
        "size": list(sent.size_hw),
        "boxes": coco_results(sent)["annotations"] if sent.boxes is not None else None,
        "box_classes": said.names("boxes") if said.boxes is not None else None,
        "mask_shares": shares,
        "mask_classes": said.names("label_map") if said.mask is not None else None,
        "probabilities": probabilities,
        "none_of_these": said.none_of_these,
        "milliseconds": None if answer.total_ms is None else round(answer.total_ms, 2),
    }


def changes_json(changed: Changes, viewed: ViewedImage) -> dict[str, Any]:
    """What changed between two answers to an image."""
    height, width = viewed.sent_hw or viewed.image.shape[:2]
    return {
        "size": [height, width],
        "boxes": changed.boxes and [vars(box) for box in changed.boxes],
        "pixels": changed.mask
        and [vars(g) | {"pixels": round(g.share * height * width)} for g in changed.mask],
        "mask_agreement": changed.mask_agreement,
        "top_before": changed.top_before,
        "top_after": changed.top_after,
    }


def matrix_json(run: Run) -> dict[str, Any]:
    """A run's scores, what of them was kept, and its classes."""
    records, order = run.records(), stage_order(run.manifest)
    judged = run.verdicts()
    scores = {
        str(stage): {task: value for task, value in row.items() if value == value}
        for stage, row in stage_matrix(records).to_dict("index").items()
    }
    kept = [
        {
            **{name: value for name, value in vars(drop).items() if name != "drop"},
            "drop_rel": drop.drop if drop.base > 0 else None,
            "retention": drop.retention if drop.base > 0 else None,
            **_interval(judged.get(drop.task)),
        }
        for drop in drops(records, order)
    ]
    classes = {
        task: {
            row.name: {"base": row.base, "final": row.final}
            for row in class_drops(records, order, task).itertuples(index=False)
        }
        for task in order
    }
    return {"scores": scores, "drops": kept, "classes": classes}


def _interval(judged: dict[str, Any] | None) -> dict[str, Any]:
    drop = (judged or {}).get("drop") or {}
    return {
        "low": drop.get("low"),
        "high": drop.get("high"),
        "verdict": (judged or {}).get("verdict"),
    }
