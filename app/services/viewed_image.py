"""One visitor's image and what each run said of it. Kept per visitor, never shared."""

from __future__ import annotations

import filecmp
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from app.language import Refusal
from app.results.sent_frame import in_sent_frame
from app.services.engines import EngineShelf, StageAnswer
from app.services.image_reading import read_upload
from app.services.runs import RunShelf
from mtl_core.types import Part, Prediction

# A visitor sees one run and two sides; masks of many runs would fill the memory of a busy host.
RUNS_KEPT = 4
EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


@dataclass
class ViewedImage:
    """An image and its answers by run name.

    Attributes:
        image: H x W x 3 uint8 RGB, reduced where it was sent larger.
        sent_hw: height and width of the file's image, upright; None where it is the image's own.
        example: name of the example image, or None for a visitor's own.
        truth: what people annotated on it, or None.
        annotated: "task/image" of the validation image that it is, or None.
        placed: the file that the page itself put into the upload, or None.
        file_name: of the image as it was sent.
        answers: every stage's answer, per run of those asked last.
        spent_ms: how long they took together, per run.
        versions: of the checkpoints that gave the answers, per run.
        key: tells this look from any other.
    """

    image: np.ndarray
    sent_hw: tuple[int, int] | None = None
    example: str | None = None
    truth: StageAnswer | None = None
    annotated: str | None = None
    placed: Path | None = None
    file_name: str = "image"
    answers: dict[str, list[StageAnswer]] = field(default_factory=dict)
    spent_ms: dict[str, float] = field(default_factory=dict)
    versions: dict[str, list[Any]] = field(default_factory=dict)
    key: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def picture(self) -> str:
        """Its name in names of files: the example's, or that of its own file."""
        return self.example or Path(self.file_name).stem

    @classmethod
    def read(cls, path: Path, **known: Any) -> Self:
        """The image of a file.

        Args:
            path: of the file.
            known: other attributes.

        Raises:
            InputError: the file is too large or no image.
        """
        return cls(*read_upload(path), file_name=path.name, **known)

    def in_sent_frame(self, prediction: Prediction, kind: type[Part] | None = None) -> Prediction:
        """An answer to it in the pixels of the file; see ``sent_frame.in_sent_frame``."""
        return in_sent_frame(prediction, self.sent_hw or prediction.size_hw, kind)

    def of(self, run_name: str, runs: RunShelf, engines: EngineShelf) -> list[StageAnswer]:
        """All stages of a run on this image; remembered until their checkpoints change."""
        run = runs.get(run_name)
        versions = [stage.version for stage in run.stages]
        if self.versions.get(run_name) == versions:
            answers = self.answers.pop(run_name)
        else:
            answers, self.spent_ms[run_name] = engines.answers(run, self.image)
            self.versions[run_name] = versions
        self.answers[run_name] = answers  # the one asked last stands last
        while len(self.answers) > RUNS_KEPT:
            oldest = next(iter(self.answers))
            for kept in (self.answers, self.spent_ms, self.versions):
                del kept[oldest]
        return answers

    def stage(
        self, run_name: str, number: int, runs: RunShelf, engines: EngineShelf
    ) -> StageAnswer:
        """One stage's answer.

        Raises:
            Refusal: the run has no such stage.
        """
        answers = self.of(run_name, runs, engines)
        for answer in answers:
            if answer.number == number:
                return answer
        known = ", ".join(str(answer.number) for answer in answers)
        raise Refusal("error.no_stage", run=run_name, number=number, known=known)


def example_images() -> dict[str, Path]:
    """The example images by name, in the order in which they are offered."""
    order = ("astronaut", "cat", "coffee", "pagoda", "rocket")
    found = {path.stem: path for path in sorted(EXAMPLES.glob("*.jpg"))}
    return dict(sorted(found.items(), key=lambda i: order.index(i[0]) if i[0] in order else 99))


def example_view(name: str) -> ViewedImage:
    """An example image, ready to be answered."""
    path = example_images()[name]
    return ViewedImage.read(path, example=name, placed=path)


def is_copy(path: Path, known: Path) -> bool:
    """Whether a file holds what another does, wherever it was copied to."""
    return path.is_file() and filecmp.cmp(path, known, shallow=False)
