"""Networks of other makers as ONNX files, ready to be timed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mtl_core.onnx_graphs.session import Graph
from mtl_core.types import InputError
from training.timing.alternating_times import Case
from training.timing.networks import running

NAMED = re.compile(r"(?P<name>[^=]+)=(?P<file>.+\.onnx)@(?P<side>\d+)")
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@cache
def opened(file: Path, threads: int) -> Graph:
    """A file's graph, made once for all sizes.

    Raises:
        InputError: the file is not usable.
    """
    try:
        return Graph(file.read_bytes(), threads)
    except Exception as error:  # onnxruntime raises its own types
        raise InputError(f"{file} is not a usable ONNX file ({error}).") from error


@dataclass(frozen=True)
class Other:
    """One network of one input: an image batch N x 3 x H x W or N x H x W x 3.

    Attributes:
        name: by which its times are told.
        file: an ONNX file.
        side_px: of the square image that it is usually given.
    """

    name: str
    file: Path
    side_px: int

    @staticmethod
    def of(words: str) -> Other:
        """From NAME=FILE.onnx@PX.

        Raises:
            InputError: it is not of that form, or there is no such file.
        """
        found = NAMED.fullmatch(words)
        if found is None:
            raise InputError(f"--beside {words}: expected NAME=FILE.onnx@PX, boxes=yolo.onnx@640.")
        path = Path(found["file"])
        if not path.is_file():
            raise InputError(f"--beside {words}: {path} does not exist, expected an ONNX file.")
        return Other(found["name"], path, int(found["side"]))

    def case(self, side_px: int, threads: int) -> Case | None:
        """A pass over noise of one size; None where the file was exported for another size only.

        Raises:
            InputError: the file is not usable, or its input is no image.
        """
        graph = opened(self.file, threads)
        inputs = graph.session.get_inputs()
        shape = inputs[0].shape
        channels = next((axis for axis in (1, 3) if len(shape) == 4 and shape[axis] == 3), None)
        if len(inputs) != 1 or channels is None or inputs[0].type not in DTYPES:
            raise InputError(
                f"{self.file} takes {[(i.name, i.type, i.shape) for i in inputs]}: expected one "
                "batch of images, N x 3 x H x W or N x H x W x 3."
            )
        wanted = (1, 3, side_px, side_px) if channels == 1 else (1, side_px, side_px, 3)
        if any(
            isinstance(size, int) and size != own for size, own in zip(shape, wanted, strict=True)
        ):
            if side_px == self.side_px:
                raise InputError(f"{self.file} takes images of {shape}: expected {side_px} px.")
            return None
        noise = np.random.default_rng(0).random(wanted)
        dtype = DTYPES[inputs[0].type]
        values = (noise * 255 if dtype is np.uint8 else noise).astype(dtype)
        call = running(graph, values)
        try:
            call()
        except Exception as error:
            if side_px != self.side_px:
                return None
            raise InputError(f"{self.file} does not run at {side_px} px ({error}).") from error
        return call
