"""How far a run is, and the files that say so: run.json, and the state that a resume reads."""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from mtl_core.config import RunConfig
from mtl_core.engine.network_file import load_network, save_checkpoint
from mtl_core.learning.manifest import hardware, manifest
from mtl_core.learning.resume import (
    changed_images,
    check_resumable,
    copy_first_stage,
    first_stage,
    load_matching,
)
from mtl_core.learning.run_data import RunData
from mtl_core.learning.state_files import (
    LAST,
    further_of,
    last_state,
    read_state,
    start_of,
    write_state,
)
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import Retention, retention_class
from mtl_core.runs.checkpoint import read_weights, weights_digest
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import InputError


class RunProgress:
    """What of a run was done so far.

    Args:
        out: the run directory.
        config: its recipe.
        data: its images.
        network: as it is trained.
        retention: the method's state.
        provenance: where the backbone's first weights come from.

    Attributes:
        seconds: wall time per finished stage.
        machines: per finished stage what ended it, as ``hardware`` of run.json.
        partial_s: wall time spent in the present stage before it was resumed.
        trained_before: per stage what the run that was started from had made of it.
        data_changes: images that changed under the run.
        saved_at: when the state was last written, seconds since the epoch.
    """

    def __init__(
        self,
        out: Path,
        config: RunConfig,
        data: RunData,
        network: UnifiedVisionSystem,
        retention: Retention,
        provenance: dict[str, str],
    ) -> None:
        self.out, self.config, self.data, self.provenance = out, config, data, provenance
        self.network, self.retention = network, retention
        self.device = next(network.parameters()).device
        self.began = self.saved_at = time.time()
        self.seconds: dict[str, float] = {}
        self.machines: dict[str, Any] = {}
        self.partial_s = 0.0
        self.trained_before: dict[str, Any] = {}
        self.data_changes: list[dict[str, Any]] = []

    @cached_property
    def sources(self) -> dict[str, Any]:
        """What a run is made from: its images and the weights that its backbone starts from."""
        return {"data_fingerprint": self.data.fingerprints(), "initial_weights": self.provenance}

    def manifest(self, status: str) -> dict[str, Any]:
        """What run.json holds."""
        return {
            "status": status,
            **manifest(self.config, self.network, self.retention),
            **self.sources,
            "data_changes": self.data_changes,
            "trained_before": self.trained_before,
            "stage_seconds": self.seconds,
            "stage_hardware": self.machines,
            "wall_time_s": round(sum(self.seconds.values()), 1),
        }

    def write_manifest(self, status: str) -> None:
        """Write run.json: what the run is, and whether it is running, stopped or finished."""
        write_sealed(self.out / "run.json", self.manifest(status))

    def elapsed(self) -> float:
        """Seconds spent in the present stage, over all its resumes."""
        return self.partial_s + time.time() - self.began

    def end_stage(self, number: int) -> float:
        """Write down that a stage is done; returns the seconds that it took."""
        self.seconds[str(number)] = seconds = round(self.elapsed(), 1)
        self.machines[str(number)] = hardware(self.network)
        self.began, self.partial_s = time.time(), 0.0
        self.write_manifest("running")
        self.save(number + 1, None)
        return seconds

    def save(self, number: int, stage_state: dict[str, Any] | None) -> None:
        """Where a resume goes on: the stage, its start and its middle; written atomically."""
        folder = self.out / "state"
        if stage_state is None:
            start = {
                "network": self.network.state_dict(),
                "retention": self.retention.state_dict(),
            }
            write_state(folder / start_of(number), start)
        records = self.out / "records.jsonl"
        content = {
            "number": number,
            "stage_state": stage_state,
            "records_bytes": records.stat().st_size if records.is_file() else 0,
            "seconds": self.seconds,
            "machines": self.machines,
            "partial_s": self.elapsed(),
            "config": self.config.to_dict(),
            "sources": self.sources,
            "data_changes": self.data_changes,
            "trained_before": self.trained_before,
        }
        write_state(folder / LAST, content)
        self.saved_at = time.time()

    def restore(self) -> tuple[int, dict[str, Any] | None]:
        """Go back to where the run was saved.

        Returns:
            The stage to go on with, and its middle, or None at its start.

        Raises:
            InputError: there is no whole state, or what was done so far was done with another
                config, other classes or other weights.
        """
        content = last_state(self.out, self.device)
        number, stage_state = content["number"], content["stage_state"]
        begun = number if stage_state else number - 1
        if stage_state and self.retention.together:
            begun = len(self.config.stages)
        check_resumable(self.out, content, self.config, self.provenance, begun)
        self.data_changes = list(content.get("data_changes", [])) + changed_images(
            content["sources"]["data_fingerprint"], self.sources["data_fingerprint"], number
        )
        self.seconds, self.partial_s = content["seconds"], content["partial_s"]
        self.machines = content.get("machines", {})  # not in states of 0.1
        self.trained_before = content.get("trained_before", {})
        start = read_state(self.out / "state" / start_of(number), self.device)
        load_matching(self.network, start["network"])
        self.retention.load_state_dict(start["retention"])
        records = self.out / "records.jsonl"
        if records.is_file():
            # What was recorded after the state was saved is recorded again.
            os.truncate(records, content["records_bytes"])
        return number, stage_state

    def take_first_stage(self, path: Path) -> None:
        """Take the first stage as another run left it, with its files and its time.

        Raises:
            InputError: that run differs in what decides its first stage, or one of the two methods
                has a first stage of its own.
        """
        run = Run(path)
        theirs = run.manifest
        for method in (self.config.method, theirs["config"]["method"]):
            if retention_class(method).own_start:
                raise InputError(
                    f"{method} has a first stage of its own: train it without --start."
                )
        ours = json.loads(json.dumps(self.manifest("running")))
        for what, found in first_stage(ours).items():
            if found != first_stage(theirs)[what]:
                raise InputError(f"{path} differs in {what}: expected the same to start from it.")
        rested = theirs["config"]["model"]["frozen_blocks"]
        if rested < self.config.model.frozen_blocks:
            raise InputError(
                f"{path} froze {rested} blocks, this run would freeze more: expected "
                f"model.frozen_blocks of at most {rested} to start from it."
            )
        state = path / "state" / start_of(2)
        if state.is_file():
            weights = read_state(state, self.device)["network"]
        else:  # published without it: the checkpoint, rounded to half precision
            weights = load_network(run.stage(1).weights)[0].state_dict()
        load_matching(self.network, weights)
        copy_first_stage(run, self.out)
        # Under a header of its own: the blocks that this run freezes may be fewer.
        save_checkpoint(
            self.out / "stage1.safetensors", self.network, 1, [self.config.stages[0].task]
        )
        self._note_trained_before(run, 1)
        before = self.trained_before["1"]
        self.seconds, self.machines = {"1": before["seconds"]}, {"1": before["hardware"]}
        self.began = time.time()

    def take_second_stage(self, path: Path) -> None:
        """Take what a run, whose first stage was taken, made of the second, to train it further.

        Raises:
            InputError: that run has no second stage, or taught another task in it.
        """
        run = Run(path)
        task = run.stage(2).task
        if [stage.task for stage in self.config.stages[1:2]] != [task]:
            raise InputError(
                f"{path} taught {task} in its second stage: expected the same here to train it "
                "further."
            )
        self._note_trained_before(run, 2)
        network, _ = load_network(run.stage(2).weights)
        write_state(self.out / "state" / further_of(2), network.state_dict())

    def go_further(self, number: int) -> None:
        """Put in place what another run made of a stage, where it is trained further."""
        path = self.out / "state" / further_of(number)
        if path.is_file():
            load_matching(self.network, read_state(path, self.device))

    def _note_trained_before(self, run: Run, number: int) -> None:
        theirs, stage = run.manifest, str(number)
        self.trained_before[stage] = {
            "settings": theirs["stages_as_trained"][number - 1],
            "frozen_blocks": theirs["config"]["model"]["frozen_blocks"],
            "seconds": theirs["stage_seconds"][stage],
            "hardware": theirs.get("stage_hardware", {}).get(stage, theirs["hardware"]),
            "weights_sha256": weights_digest(read_weights(run.stage(number).weights)),
            "trained_before": theirs.get("trained_before", {}).get(stage),
        }
