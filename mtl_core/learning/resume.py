"""What makes a run the one that it is: what a resume or a shared first stage may not change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mtl_core.config import RunConfig
from mtl_core.types import InputError

# What runs of one first stage and of one study may have otherwise; looks at the subset change no
# weight.
VARIED = ("method", "strength", "stages", "subset_every", "subset_steps", "subset_n", "floors")


def settled(config: dict[str, Any], begun: int) -> dict[str, Any]:
    """The part of a config that a resume may not change: all but the stages still to come."""
    return {**config, "stages": list(config["stages"])[:begun]}


def first_stage(manifest: dict[str, Any]) -> dict[str, Any]:
    """What decides a run's first stage, by what to call it, from its manifest."""
    config = manifest["config"]
    task = config["stages"][0]["task"]
    return {
        "the first stage's settings": config["stages"][0],
        "the run's settings": {k: v for k, v in config.items() if k not in VARIED},
        "the images": manifest["data_fingerprint"][task],
        "the backbone's first weights": manifest["initial_weights"],
        "the class names": manifest["class_names"],
    }


def with_statistics(config: RunConfig, provenance: dict[str, str]) -> RunConfig:
    """The config with the input statistics that the backbone's weights name, if they name any.

    Raises:
        InputError: they are not three numbers each.
    """
    found = {}
    for field in ("mean", "std"):
        if f"input_{field}" in provenance:
            try:
                values = tuple(float(v) for v in provenance[f"input_{field}"].split(","))
            except ValueError:
                values = ()
            if len(values) != 3:
                raise InputError(
                    f"The backbone's weights name an input_{field} of "
                    f"{provenance[f'input_{field}']!r}: expected three numbers."
                )
            found[field] = values
    return replace(config, model=replace(config.model, **found))  # type: ignore[arg-type]
