"""What explains a drop: the final network with one part put back as it was after an earlier stage.

If putting back a part restores the score, the drop came about there.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

State = dict[str, Tensor]


def is_statistic(name: str, task: str) -> bool:
    """Batch norm's running statistics."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def is_slice(name: str, task: str) -> bool:
    """The task's own output: its slice, embedding and readout."""
    return task in name.split(".")


def is_shared(name: str, task: str) -> bool:
    """Neck and the two shared head layers, with all that belongs to no task."""
    return not name.startswith(("backbone.", "readouts.")) and not any(
        part in name for part in (".weights.", ".biases.", ".embeddings.")
    )


def is_backbone(name: str, task: str) -> bool:
    """The backbone."""
    return name.startswith("backbone.")


PARTS: dict[str, Callable[[str, str], bool]] = {
    "norm statistics": is_statistic,
    "output slice": is_slice,
    "neck and shared layers": is_shared,
    "backbone": is_backbone,
}


def put_back(final: State, base: State, part: str, task: str) -> State:
    """The final network's state with one part as it was in ``base``.

    Args:
        final: state after the last stage.
        base: state after the task's own stage.
        part: a key of ``PARTS``.
        task: whose slice is meant.
    """
    belongs = PARTS[part]
    return {name: base[name] if belongs(name, task) else value for name, value in final.items()}
