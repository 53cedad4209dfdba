"""Ways not to forget, chosen by ``--method``."""

from __future__ import annotations

import importlib

from mtl_core.retention.base import Retention, StageContext
from mtl_core.retention.distill import Distill
from mtl_core.retention.ewc import Ewc
from mtl_core.retention.finetune import Finetune
from mtl_core.retention.joint import Joint
from mtl_core.retention.lwf import Lwf
from mtl_core.retention.progressive import Progressive
from mtl_core.retention.replay import Replay
from mtl_core.types import InputError

METHODS: dict[str, type[Retention]] = {
    "finetune": Finetune,
    "ewc": Ewc,
    "lwf": Lwf,
    "replay": Replay,
    "distill": Distill,
    "progressive": Progressive,
    "joint": Joint,
}


def retention_class(name: str) -> type[Retention]:
    """A method by its name, or by ``package.module:Class`` for one of the user's own.

    Raises:
        InputError: there is none.
    """
    if name in METHODS:
        return METHODS[name]
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise ImportError(f"no file of this name in {__name__}")
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"method is {name!r}, expected one of {', '.join(METHODS)}, or package.module:Class "
            f"({error})."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Retention)):
        raise InputError(f"method is {name!r}, expected a class made from {Retention.__name__}.")
    return found


__all__ = ["METHODS", "Retention", "StageContext", "retention_class"]
