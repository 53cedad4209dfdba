"""What a run is, in words: its method, its images, and its place among the choices."""

from __future__ import annotations

from typing import Any

from app.language import Words
from app.results.run_tables import method_of
from app.services.runs import RunShelf
from mtl_core.runs.run_directory import Run

# Methods as they are offered: nothing at all, what is meant to help, and all tasks at once.
_ORDER = ("finetune", "distill", "lwf", "ewc", "replay", "progressive", "joint")


def run_choices(runs: RunShelf, words: Words, visitor: str = "") -> list[tuple[str, str]]:
    """Every run of a visitor's list, as shown (method, and own name below it) and as sent."""
    ranks = {method: rank for rank, method in enumerate(_ORDER)}
    listed = runs.names_for(visitor)
    names = sorted(listed, key=lambda name: ranks.get(method_of(runs.get(name)), -1))
    return [(f"{method_name(runs.get(name), words)}\n{name}", name) for name in names]


def method_name(run: Run, words: Words) -> str:
    """A run's method as people may understand it."""
    method = method_of(run)
    return words.table.get(f"method.{method}", method)


def run_description(run: Run, words: Words) -> str:
    """How a run was kept from forgetting, and on how many images it was trained."""
    method = method_of(run)
    how = words.table.get(f"run.{method}", method)
    counts = images_of(run.manifest)
    trained = sum(int(splits.get("train", 0)) for splits in counts.values())
    return words("run.described", how=how, count=f"{trained:,}") if trained else how


def images_of(manifest: dict[str, Any]) -> dict[str, dict[str, int]]:
    """How many images a run was trained on and measured on: task -> split -> count."""
    fingerprint = manifest.get("data_fingerprint", {})
    if not isinstance(fingerprint, dict):
        return {}
    return {
        task: {name: s["n"] for name, s in splits.items() if isinstance(s, dict) and "n" in s}
        for task, splits in fingerprint.items()
        if isinstance(splits, dict)
    }


def images_description(manifest: dict[str, Any], words: Words) -> str:
    """The same in words: a task's training images + those it was measured on."""
    return ", ".join(
        f"{words.task(task)} {' + '.join(map(str, counts.values()))}"
        for task, counts in images_of(manifest).items()
    )
