"""Classes of a network and of a data set, matched by name."""

from __future__ import annotations

import numpy as np

from mtl_core.types import InputError


def data_to_model(model_names: list[str], data_names: list[str], task: str) -> np.ndarray:
    """For every class of the data its index in the network.

    Raises:
        InputError: the data has a class that the network was never trained.
    """
    unknown = [name for name in data_names if name not in model_names]
    if unknown:
        raise InputError(
            f"The data's {task} class {unknown[0]!r} is unknown to this network: expected some of "
            f"{', '.join(model_names)}."
        )
    return np.array([model_names.index(name) for name in data_names], dtype=np.int64)
