"""What a ZeroGPU host asks of a page before it starts one."""

from __future__ import annotations

import importlib.util


def declare_gpu_function() -> bool:
    """Declare a GPU function where the host's ``spaces`` package is installed; say if it is.

    A ZeroGPU host refuses a page that declares none. Nothing here calls it: all stages of a
    image take about a tenth of a second on the host's processor, and being lent a GPU takes
    longer than that.
    """
    if importlib.util.find_spec("spaces") is None:
        return False
    import spaces

    spaces.GPU(_on_gpu)
    return True


def _on_gpu() -> None:
    """Never called."""
