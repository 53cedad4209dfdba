"""Named endpoints for programs: typed, documented, usable by gradio_client and as MCP tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import gradio as gr
from gradio import FileData
from gradio.events import api
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_function_description, get_upload_folder

from app.api_arguments import answers_programs, within
from app.components.upload import uploaded_path
from app.results.api_json import answer_json, changes_json, matrix_json
from app.results.changes import compare
from app.results.downloads import mask_png, overlay_png
from app.services.engines import DEFAULT, REFERENCE, StageAnswer
from app.services.image_reading import read_upload
from app.services.latency import MAX_PASSES, measure_passes
from app.services.viewed_image import ViewedImage, example_images
from app.site import IMAGES, MEASURES, QUICK, Site, machine_name, may_load_torch
from mtl_core.decoding.boxes import SHOWN_SCORE
from mtl_core.types import InputError, LabelMap


def add_endpoints(site: Site, page: gr.Blocks) -> None:
    """Add the endpoints to the page, which is being built."""
    for endpoint, queue in (
        *((endpoint, IMAGES) for endpoint in _of_images(site, page)),
        *zip(_of_runs(site), (QUICK, MEASURES), strict=True),
    ):
        api(endpoint, api_name=endpoint.__name__, **queue)
        # The page that describes them would call every parameter by its place alone.
        _, described, _ = get_function_description(endpoint)
        *_, added = page.fns.values()
        sent = {name: words for name, words in described.items() if words}  # not the request
        for component, (name, words) in zip(added.inputs, sent.items(), strict=True):
            assert isinstance(component, gr.components.Component)
            component.label = f"{name}: {words}"
        assert isinstance(added.outputs[0], gr.components.Component)
        added.outputs[0].label = "answer"


def _of_images(site: Site, page: gr.Blocks) -> tuple[Callable[..., Any], ...]:
    def answer_to(image: FileData, run: str, stage: int) -> tuple[str, ViewedImage, StageAnswer]:
        chosen = site.runs.get(run or None)
        name = site.runs.name_of(chosen)
        number = stage or chosen.stages[-1].number
        file = site.runs.stage(name, number)
        viewed = ViewedImage.read(uploaded_path(image))
        return name, viewed, site.engines.answer(chosen, file, viewed.image)

    def as_file(png: bytes, name: str) -> FileData:
        # Among the uploads, so that the page serves it and removes it as it does those.
        path = save_bytes_to_cache(png, name, get_upload_folder())
        page.upload_file_set.add(path)
        file = FileData(path=path, orig_name=name, mime_type="image/png")
        return cast(FileData, file.model_dump())  # Gradio takes its JSON

    @answers_programs
    def predict(image: FileData, run: str = "", stage: int = 0) -> dict[str, Any]:
        """Boxes, mask shares and class probabilities of an image, from one stage of a run.

        Args:
            image: a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file of at most 12 MB.
            run: name of a run; empty means the default.
            stage: number of the stage from 1; 0 means the last.

        Returns:
            run, stage, trained (task ids), size ([height, width] in pixels of the image as it was
            sent, turned upright as its EXIF says), boxes (COCO style, xywh in the same pixels) or
            null, box_classes (category_id counts them from 1) or null, mask_shares (class to share
            of pixels, without the background) or null, mask_classes (the mask's indices count them
            from 0) or null, probabilities (class to probability) or null, none_of_these (whether
            the image seems to be of none of those classes), milliseconds of the pass.
        """
        name, viewed, answer = answer_to(image, run, stage)
        return {"run": name, **answer_json(answer, viewed)}

    @answers_programs
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
            image: a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file of at most 12 MB.
            run: name of a run; empty means the default.
            before: number of the earlier stage, from 1.
            after: number of the later stage; 0 means the last.
            score: boxes below this score count as not there, 0 to 1.
            other_run: name of the run that the later stage is of; empty means the same run.

        Returns:
            run, other_run, before, after, size ([height, width] in pixels of the image as it was
            sent), boxes (list of kind, before, after, scores and IoU) or null where one stage came
            before detection; pixels (list of before, after, their number in the image as it was
            sent, and share) or null; mask_agreement, top_before and top_after (the class, null
            where it seems to be none of them, and its probability).
        """
        within("score", score, 0, 1)
        chosen = site.runs.get(run or None)
        other = site.runs.get(other_run or run or None)
        names = site.runs.name_of(chosen), site.runs.name_of(other)
        numbers = before, after or other.stages[-1].number
        files = [site.runs.stage(*asked) for asked in zip(names, numbers, strict=True)]
        viewed = ViewedImage.read(uploaded_path(image))
        first, second = (
            site.engines.answer(side, file, viewed.image).prediction
            for side, file in zip((chosen, other), files, strict=True)
        )
        return {
            "run": names[0],
            "other_run": names[1],
            "before": numbers[0],
            "after": numbers[1],
            **changes_json(compare(first, second, score), viewed),
        }

    @answers_programs
    def overlay(
        image: FileData, run: str = "", stage: int = 0, score: float = SHOWN_SCORE
    ) -> FileData:
        """The image with what one stage of a run finds drawn on it: mask, boxes and their names.

        Args:
            image: a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file of at most 12 MB.
            run: name of a run; empty means the default.
            stage: number of the stage from 1; 0 means the last.
            score: boxes below this score are left out, 0 to 1.

        Returns:
            a PNG file, its long side at most 1280 px.
        """
        within("score", score, 0, 1)
        name, viewed, answer = answer_to(image, run, stage)
        drawn = overlay_png(viewed.image, answer.prediction, 0.55, score)
        return as_file(drawn, f"{name}-stage{answer.number}.png")

    @answers_programs
    def mask(image: FileData, run: str = "", stage: int = 0) -> FileData:
        """The mask of an image from one stage of a run, one class index per pixel.

        Args:
            image: a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file of at most 12 MB.
            run: name of a run; empty means the default.
            stage: number of the stage from 1; 0 means the last.

        Returns:
            a PNG file with a palette, of the size of the image as it was sent, turned upright;
            the indices count the run's mask_classes, as /predict names them, from 0.
        """
        name, viewed, answer = answer_to(image, run, stage)
        content = mask_png(viewed.in_sent_frame(answer.prediction, LabelMap))
        return as_file(content, f"{name}-stage{answer.number}-mask.png")

    return predict, compare_stages, overlay, mask


def _of_runs(site: Site) -> tuple[Callable[..., Any], ...]:
    @answers_programs
    def matrix(run: str = "") -> dict[str, Any]:
        """Scores of every task after every stage of a run, and how much of each was kept.

        Args:
            run: name of a run; empty means the default.

        Returns:
            run, runs (all names), scores (stage to task to fraction), drops (task, metric, base,
            final, drop_rel, retention; the last two are null where the base is zero; base_stage
            and final_stage, after which base and final were measured, and n, the images measured;
            low and high, the 95 % interval of drop_rel, and the verdict, null where the run was not
            judged) and classes (task to class to base and final).
        """
        chosen = site.runs.get(run or None)
        return {
            "run": site.runs.name_of(chosen),
            "runs": site.runs.names,
            **matrix_json(chosen),
        }

    @answers_programs
    def latency(
        request: gr.Request, run: str = "", passes: int = 20, engine: str = DEFAULT
    ) -> dict[str, Any]:
        """Time of a pass, measured now on the machine that serves the page.

        Args:
            run: name of a run; empty means the default.
            passes: how many to measure after a warm-up, 1 to 200.
            engine: "default" for the one that answers images, "torch" for PyTorch, on this machine.

        Returns:
            run, engine, machine, passes, milliseconds (part to p50, p95 and p99) and disturbed_by,
            the number of other passes that ran meanwhile.
        """
        within("passes", passes, 1, MAX_PASSES)
        if engine == REFERENCE and not may_load_torch(site, request):
            raise InputError(f"engine is {engine!r}: here, expected {DEFAULT!r}.")
        chosen = site.runs.get(run or None)
        measured = site.engines.engine(chosen.stages[-1], engine)
        image, _ = read_upload(next(iter(example_images().values())))
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

    return matrix, latency
