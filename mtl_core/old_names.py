"""Names that files and configs had before, read as what they are called now, for one version."""

from __future__ import annotations

import re
from typing import Any

from mtl_core.types import Kind

CONFIG_KEYS = {
    "lr_trunk": "lr_backbone",
    "probe_every": "subset_every",
    "probe_steps": "subset_steps",
    "probe_n": "subset_n",
    "stages_as_taught": "stages_as_trained",
    "trunk_frozen": "backbone_frozen",
    "trunk_trainable": "backbone_trainable",
}
KINDS: dict[str, Kind] = {"seg": "label_map", "det": "boxes", "cls": "bars"}  # of headers without
SCOPES = {"probe": "subset"}  # of records
_WORDS = {"trunk": "backbone", "lessons": "stages", "pictures": "images", "taught": "trained"}


def renamed_keys(content: Any) -> Any:
    """JSON content with the present names of configs and run.json, at every depth."""
    if isinstance(content, dict):
        named: dict[Any, Any] = {
            CONFIG_KEYS.get(key, key): renamed_keys(value) for key, value in content.items()
        }
        return _with_joint_factors(named) if {"stages", "joint_epochs"} <= named.keys() else named
    if isinstance(content, list):
        return [renamed_keys(value) for value in content]
    return content


def _with_joint_factors(config: dict[str, Any]) -> dict[str, Any]:
    """A config whose stages hold joint's epochs and rates, which had factors beside the stages."""
    epochs, lr = config.pop("joint_epochs"), config.pop("joint_lr", 1.0)
    if config["method"] == "joint":
        for stage in config["stages"]:
            stage["epochs"] = max(1, round(stage["epochs"] * epochs))
            stage["lr"] *= lr
    return config


def renamed_words(content: Any) -> Any:
    """Measurements with the present words in the names of what was measured."""
    if isinstance(content, dict):
        return {_words(key): renamed_words(value) for key, value in content.items()}
    return content


def _words(name: str) -> str:
    return re.sub("|".join(_WORDS), lambda found: _WORDS[found[0]], name)
