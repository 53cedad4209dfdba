"""One stage: its optimizer, its rates, and the loop, read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mtl_core.config import RunConfig, StageConfig
from mtl_core.data.datasets import to_device
from mtl_core.data.tensor_input import normalise
from mtl_core.learning.profile import LapTimes
from mtl_core.learning.resume import load_matching
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.retention import Retention


class NotFinite(RuntimeError):
    """The loss exploded; the message holds the table of its terms."""


def parameter_groups(
    network: UnifiedVisionSystem,
    run: RunConfig,
    stage: StageConfig,
    earlier: list[str],
    learning: list[str],
) -> list[dict[str, Any]]:
    """AdamW's groups: each part's rate is the stage's times the part's factor.

    Parts: backbone (its trainable blocks), shared (neck and shared head layers), own (slice,
    embedding and readout of what is being learned), old (those of the tasks trained earlier). Those
    of tasks still to come are left alone. Vectors (norms, biases, gains) are not decayed.
    """
    factor = {
        "backbone": stage.lr_backbone,
        "shared": stage.lr_shared,
        "own": 1.0,
        "old": stage.lr_old,
    }
    groups: dict[tuple[str, bool], list[Tensor]] = {}
    frozen = {id(p) for p in network.backbone.frozen_parameters()}
    for name, parameter in network.named_parameters():
        if id(parameter) in frozen:
            continue
        if name.startswith("backbone."):
            part = "backbone"
        else:
            owners = [task for task in network.tasks if task in name.split(".")]
            if not owners:
                part = "shared"
            elif owners[0] in learning:
                part = "own"
            elif owners[0] in earlier:
                part = "old"
            else:
                continue
        if factor[part] > 0:
            groups.setdefault((part, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": stage.lr * factor[part],
            "weight_decay": run.weight_decay if matrix else 0.0,
            "name": part,
        }
        for (part, matrix), parameters in groups.items()
    ]


def one_cycle(total_steps: int, warmup: float) -> Callable[[int], float]:
    """Rate factor per step: a linear rise over ``warmup`` of the steps, then half a cosine to 0."""
    rise = max(1, round(total_steps * warmup))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total_steps - rise)))

    return factor


@dataclass
class StageState:
    """All that a resume needs beside the run's config."""

    network: UnifiedVisionSystem
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    epoch: int = 0  # epochs finished in this stage
    step: int = 0  # optimizer steps finished in this stage
    batches: int = 0  # of the epoch that is not finished
    losses: dict[str, Tensor] = field(default_factory=dict)  # running means of the terms
    laps: LapTimes = field(default_factory=LapTimes)  # of this process alone

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers only."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "batches": self.batches,
            "losses": dict(self.losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of state_dict."""
        load_matching(self.network, state["network"])
        average = {k.removeprefix("module."): v for k, v in state["average"].items()}
        self.average.n_averaged.copy_(average.pop("n_averaged"))
        load_matching(cast(UnifiedVisionSystem, self.average.module), average)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.step, self.batches = state["epoch"], state["step"], state["batches"]
        self.losses = dict(state["losses"])


def begin_stage(
    network: UnifiedVisionSystem,
    run: RunConfig,
    stage: StageConfig,
    earlier: list[str],
    learning: list[str],
    steps: int,
) -> StageState:
    """Optimizer, schedule and averaged weights for a stage that starts from ``network``.

    Args:
        network: as the stage before left it.
        run: rates' common settings.
        stage: its rates.
        earlier: tasks trained before.
        learning: tasks trained now; one, unless all are trained together.
        steps: optimizer steps of the whole stage.
    """
    groups = parameter_groups(network, run, stage, earlier, learning)
    moving = {id(p) for group in groups for p in group["params"]}
    for parameter in network.parameters():
        # No gradient is computed for what this stage does not move.
        parameter.requires_grad_(id(parameter) in moving)
    optimizer = torch.optim.AdamW(groups)
    factor = one_cycle(steps, run.warmup)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    # A short stage must not end on an average that still remembers its first steps.
    horizon = max(1.0, steps / 10)
    decay = min(run.ema_decay, 1 - 1 / (1 + horizon))
    step = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=step, use_buffers=True)
    return StageState(network, average, optimizer, schedule)


def train_epoch(
    state: StageState,
    run: RunConfig,
    stage: StageConfig,
    retention: Retention,
    frozen: Callable[[Tensor], list[Tensor]],
    loader: Iterable[tuple[str, Tensor, Any]],
    device: torch.device,
) -> Iterator[StageState]:
    """What is left of a pass over the images of what is being learned, step by step.

    Args:
        state: moved on by every step; at the end by one epoch.
        run: the run's settings.
        stage: this stage's.
        retention: the method against forgetting.
        frozen: the frozen half of the backbone.
        loader: batches of (task, pixels, targets).
        device: where the network is.

    Yields:
        The state after every step.

    Raises:
        NotFinite: a loss term is not finite; nothing was updated with it.
    """
    network = state.network
    network.train()
    moving = [p for group in state.optimizer.param_groups for p in group["params"]]
    autocast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")
    laps = state.laps
    laps.start()
    for task, pixels, targets in loader:
        laps.lap("waiting for images")
        laps.images += len(pixels)
        with autocast:
            inputs = normalise(pixels.to(device), network.config)
            features = frozen(inputs.contiguous(memory_format=torch.channels_last))
            laps.lap("frozen part of the backbone")
            outputs = network(features=features)
            laps.lap("forward")
        terms = network.tasks[task].loss(outputs.raw[task], to_device(targets, device))
        laps.lap("loss")
        with autocast:
            kept = retention.loss(features, outputs, state.step)
        terms.update({name: run.strength * value for name, value in kept.items()})
        laps.lap("against forgetting")
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            table = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
            raise NotFinite(
                f"The loss of stage {stage.task} is not finite at step {state.step} ({table}): "
                f"lower stages.{stage.task}.lr."
            )
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        laps.lap("backward")
        torch.nn.utils.clip_grad_norm_(moving, run.clip_norm)
        state.optimizer.step()
        retention.after_step()
        state.schedule.step()
        state.average.update_parameters(network)
        state.step += 1
        state.batches += 1
        for name, value in terms.items():
            state.losses[name] = torch.lerp(
                value.detach(), state.losses.get(name, value.detach()), 0.95
            )
        laps.lap("optimizer step")
        yield state
        laps.start()
    state.epoch += 1
    state.batches = 0
