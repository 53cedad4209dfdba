"""Anyone's ONNX files take their turns with the network, or are refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from mtl_core.types import InputError
from training.benchmark import Options, main
from training.timing.other_networks import Other, opened


def network(path: Path, shape: list, kind: int = TensorProto.FLOAT) -> Path:
    """A network that gives back what it is given."""
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_files_are_timed_at_their_own_size_and_at_ours(whole_run: Path, tmp_path: Path):
    free = network(tmp_path / "free.onnx", ["n", 3, "h", "w"])
    fixed = network(tmp_path / "fixed.onnx", [1, 96, 96, 3], TensorProto.UINT8)
    for names, both in (({"a": free}, True), ({"a": free, "b": fixed}, False)):
        beside = tuple(f"{name}={path}@96" for name, path in names.items())
        opened.cache_clear()
        out = tmp_path / "times.json"
        main(Options(whole_run, out, threads=1, quick=True, only=("beside",), beside=beside))
        found = json.loads(out.read_text())["beside"]
        assert {"onehead, 128 px", "a, 96 px", "all beside, usual sizes"} <= set(found["times"])
        assert ("all beside, 128 px" in found["times"]) == both
        assert opened.cache_info().misses == len(names)  # once, although there are two sizes
        assert found["ratios"]["onehead, 128 px / all beside, usual sizes"]["value"] > 0


@pytest.mark.parametrize(
    ("shape", "words", "message"),
    [
        ([1, 3, 96, 96], "a={}", "expected NAME=FILE.onnx@PX"),
        ([1, 3, 96, 96], "a=none{}@96", "does not exist"),
        ([1, 3, 96, 96], "a={}@64", "expected 64 px"),
        ([1, 7], "a={}@64", "expected one batch of images"),
    ],
)
def test_what_cannot_be_timed_is_told(tmp_path: Path, shape: list, words: str, message: str):
    path = network(tmp_path / "net.onnx", shape)
    with pytest.raises(InputError, match=message):
        Other.of(words.format(path)).case(64, 1)


def test_a_file_that_is_no_network_is_told(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_text("nothing")
    with pytest.raises(InputError, match="not a usable ONNX file"):
        Other.of(f"a={path}@64").case(64, 1)
