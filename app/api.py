"""Named endpoints for programs: typed, documented, usable by gradio_client and as MCP tools."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio import FileData
from gradio.context import get_blocks_context
from gradio.events import api
from gradio.utils import get_function_description

from app.components.upload import uploaded_path
from app.results.changes import compare, mask_shares
from app.results.downloads import coco_results
from app.results.run_tables import class_drops, drops, stage_matrix, stage_order
from app.services.engines import DEFAULT, StageAnswer
from app.services.image_reading import read_upload
from app.services.latency import measure_passes
from app.services.viewed_image import ViewedImage, example_images
from app.site import IMAGES, MEASURES, QUICK, Site, machine_name, says_refusals
from mtl_core.decoding.boxes import SHOWN_SCORE


def add_endpoints(site: Site) -> None:
    """Add the endpoints to the page that is being built."""

    @says_refusals
    def predict(image: FileData, run: str = "", stage: int = 0) -> dict[str, Any]:
        """Boxes, mask shares and class probabilities of an image, from one stage of a run.

        Args:
            image: a JPEG, PNG or WebP file of at most 12 MB.
            run: name of a run; empty means the default.
            stage: number of the stage from 1; 0 means the last.

        Returns:
            run, stage, trained (task ids), size ([height, width] in pixels), boxes (COCO style,
            xywh in pixels) or null, mask_shares (class to share of pixels) or null, probabilities
            (class to probability) or null, milliseconds of the pass.
        """
        chosen = site.runs.get(run or None)
        name = site.runs.name_of(chosen)
        number = stage or chosen.stages[-1].number
        viewed = ViewedImage(read_upload(uploaded_path(image)))
        answer = site.engines.answer(chosen, site.runs.stage(name, number), viewed.image)
        return {"run": name, **answer_json(answer)}

    @says_refusals
    def compare_stages(
        image: FileData,
        run: str = "",
        before: int = 1,
        after: int = 0,
        score: float = SHOWN_SCORE,
        other_run: str = "",
    ) -> dict[str, Any]:
        """What changed in the answer to one image between two stages of one run or of two.

        Args:
            image: a JPEG, PNG or WebP file of at most 12 MB.
            run: name of a run; empty means the default.
            before: number of the earlier stage, from 1.
            after: number of the later stage; 0 means the last.
            score: boxes below this score count as not there, 0 to 1.
            other_run: name of the run that the later stage is of; empty means the same run.

        Returns:
            boxes (list of kind, before, after, scores and IoU) or null where one stage came before
            detection; pixels (list of before, after, share) or null; top_before and top_after.
        """
        chosen = site.runs.get(run or None)
        other = site.runs.get(other_run or run or None)
        names = site.runs.name_of(chosen), site.runs.name_of(other)
        viewed = ViewedImage(read_upload(uploaded_path(image)))
        numbers = before, after or other.stages[-1].number
        answers = [
            site.engines.answer(side, site.runs.stage(name, number), viewed.image)
            for side, name, number in zip((chosen, other), names, numbers, strict=True)
        ]
        changed = compare(answers[0].prediction, answers[1].prediction, score)
        return {
            "run": names[0],
            "other_run": names[1],
            "before": numbers[0],
            "after": numbers[1],
            "boxes": changed.boxes and [vars(box) for box in changed.boxes],
            "pixels": changed.mask and [vars(group) for group in changed.mask],
            "mask_agreement": changed.mask_agreement,
            "top_before": changed.top_before,
            "top_after": changed.top_after,
        }

    @says_refusals
    def matrix(run: str = "") -> dict[str, Any]:
        """Scores of every task after every stage of a run, and how much of each was kept.

        Args:
            run: name of a run; empty means the default.

        Returns:
            run, runs (all names), scores (stage to task to fraction), drops (task, metric, base,
            final, drop_rel, retention; the last two are null where the base is zero; low and high,
            the 95 % interval of drop_rel, and the verdict, null where the run was not judged) and
            classes (task to class to its score after the task's own stage and at the end).
        """
        chosen = site.runs.get(run or None)
        records, order = chosen.records(), stage_order(chosen.manifest)
        judged = chosen.verdicts()
        table = stage_matrix(records)
        scores = {
            str(stage): {task: value for task, value in row.items() if value == value}
            for stage, row in table.to_dict("index").items()
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
        return {
            "run": site.runs.name_of(chosen),
            "runs": site.runs.names,
            "scores": scores,
            "drops": kept,
            "classes": {
                task: {
                    row.name: {"base": row.base, "final": row.final}
                    for row in class_drops(records, order, task).itertuples(index=False)
                }
                for task in order
            },
        }

    @says_refusals
    def latency(run: str = "", passes: int = 20, engine: str = DEFAULT) -> dict[str, Any]:
        """Time of a pass, measured now on the machine that serves the page.

        Args:
            run: name of a run; empty means the default.
            passes: how many to measure after a warm-up, 1 to 200.
            engine: "default" for the one that answers images, "torch" for PyTorch.

        Returns:
            run, engine, machine, passes, milliseconds (part to p50, p95 and p99) and disturbed_by,
            the number of other passes that ran meanwhile.
        """
        chosen = site.runs.get(run or None)
        measured = site.engines.engine(chosen.stages[-1], engine)
        image = read_upload(next(iter(example_images().values())))
        *_, (_, done) = measure_passes(measured, site.engines, image, passes)
        assert done is not None
        return {
            "run": site.runs.name_of(chosen),
            "engine": engine,
            "machine": machine_name(),
            "passes": len(done.times),
            "milliseconds": done.percentiles().round(2).to_dict("index"),
            "disturbed_by": done.disturbed_by,
        }

    for endpoint, queue in (
        (predict, IMAGES),
        (compare_stages, IMAGES),
        (matrix, QUICK),
        (latency, MEASURES),
    ):
        api(endpoint, api_name=endpoint.__name__, **queue)
        # The page that describes them would call every parameter by its place alone.
        _, described, _ = get_function_description(endpoint)
        page = get_blocks_context()
        assert page is not None, "expected to be called while the page is built"
        *_, added = page.fns.values()
        for component, name in zip(added.inputs, described, strict=True):
            assert isinstance(component, gr.components.Component)
            component.label = f"{name}: {described[name]}"


def _interval(judged: dict[str, Any] | None) -> dict[str, Any]:
    drop = (judged or {}).get("drop") or {}
    return {
        "low": drop.get("low"),
        "high": drop.get("high"),
        "verdict": (judged or {}).get("verdict"),
    }


def answer_json(answer: StageAnswer) -> dict[str, Any]:
    """One stage's answer as plain JSON types."""
    said = answer.prediction
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
        "size": list(said.size_hw),
        "boxes": coco_results(said)["annotations"] if said.boxes is not None else None,
        "box_classes": said.names("boxes") if said.boxes is not None else None,
        "mask_shares": shares,
        "probabilities": probabilities,
        "milliseconds": None if answer.total_ms is None else round(answer.total_ms, 2),
    }
