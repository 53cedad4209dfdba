"""What a measurement was made on."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

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
    """Those that matter for speed here, where the system tells them."""
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
