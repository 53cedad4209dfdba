"""The commands of this folder as functions, for the console scripts that an installation makes.

``console.train()`` is ``python -m training.train``, with the same options and faults.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable


def __getattr__(command: str) -> Callable[[], None]:
    if command.startswith("_"):
        raise AttributeError(command)

    def run() -> None:
        runpy.run_module(f"training.{command}", run_name="__main__", alter_sys=True)

    return run
