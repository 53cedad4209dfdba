"""What a measurement was made on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from mtl_core.onnx_graphs.processor import available_cores

PACKAGES = ("torch", "torchvision", "timm", "onnxruntime", "numpy", "pillow", "pycocotools")


def processor_name() -> str:
    """As the operating system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def vector_instructions() -> list[str]:
    """Those that matter for speed here, where the system names them."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return []
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd")
    return [name for name in known if name in words]


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide a result or its speed."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def machine() -> dict[str, Any]:
    """Processor, cores, system and packages."""
    return {
        "processor": processor_name(),
        "cores": available_cores(),
        "vector_instructions": vector_instructions(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def pointwise(network: nn.Module) -> list[nn.Conv2d]:
    """Its 1 x 1 convolutions."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    return [layer for layer in layers if layer.kernel_size == (1, 1)]


def avoid_slow_pointwise(network: nn.Module) -> None:
    """Let oneDNN compute the 1 x 1 convolutions of small batches with one thread, too.

    PyTorch leaves those to im2col and a matrix product, unless they are dilated, and dilation does
    nothing to a kernel of one pixel. ``training.benchmark_training --threads 1`` measures both.
    """
    for layer in pointwise(network):
        layer.dilation = (2, 2)
