"""One visitor's picture and what each run said of it. Kept per visitor, never shared."""

from __future__ import annotations

import filecmp
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.engines import EngineShelf, StageAnswer
from app.runs import RunShelf
from mtl_core.types import InputError

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"


@dataclass
class Look:
    """A picture and its answers by run name.

    Attributes:
        picture: H x W x 3 uint8 RGB.
        example: name of the example picture, or None for a visitor's own.
        truth: what people annotated on it, or None.
        placed: the file that the page itself put into the upload, or None.
        answers: every stage's answer, per run that was asked.
        spent_ms: how long they took together, per run.
        key: tells this look from any other.
    """

    picture: np.ndarray
    example: str | None = None
    truth: StageAnswer | None = None
    placed: Path | None = None
    answers: dict[str, list[StageAnswer]] = field(default_factory=dict)
    spent_ms: dict[str, float] = field(default_factory=dict)
    key: str = field(default_factory=lambda: secrets.token_hex(6))

    def of(self, run_name: str, runs: RunShelf, engines: EngineShelf) -> list[StageAnswer]:
        """All stages of a run on this picture; asked once, then remembered."""
        if run_name not in self.answers:
            run = runs.get(run_name)
            self.answers[run_name], self.spent_ms[run_name] = engines.answers(run, self.picture)
        return self.answers[run_name]

    def stage(
        self, run_name: str, number: int, runs: RunShelf, engines: EngineShelf
    ) -> StageAnswer:
        """One stage's answer.

        Raises:
            InputError: the run has no such stage.
        """
        for answer in self.of(run_name, runs, engines):
            if answer.number == number:
                return answer
        raise InputError(f"Run {run_name!r} has no stage {number}.")


def example_pictures() -> dict[str, Path]:
    """The example pictures by name, in the order in which they are offered."""
    order = ("astronaut", "cat", "coffee", "pagoda", "rocket")
    found = {path.stem: path for path in sorted(EXAMPLES.glob("*.jpg"))}
    return dict(sorted(found.items(), key=lambda i: order.index(i[0]) if i[0] in order else 99))


def is_copy(path: Path, known: Path) -> bool:
    """Whether a file holds what another does, wherever it was copied to."""
    return path.is_file() and filecmp.cmp(path, known, shallow=False)
