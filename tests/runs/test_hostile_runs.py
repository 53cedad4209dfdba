"""A run directory from a stranger: what would harm the machine that opens it is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mtl_core.engine.network_file import load_network
from mtl_core.onnx_graphs.weights import read_weights
from mtl_core.runs import predictions
from mtl_core.runs.checkpoint import read_header
from mtl_core.runs.hub import open_run
from mtl_core.runs.predictions import read_predictions
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_json
from mtl_core.types import InputError
from tests.runs.rewritten_checkpoints import reheaded, reweighed

MANIFEST = {"config": {"stages": [{"task": "seg"}]}, "class_names": {"seg": ["<b>", "../a"]}}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    write_json(run / "run.json", MANIFEST)
    (run / "stage1.safetensors").touch()
    (run / "predictions").mkdir()
    (tmp_path / "secret").write_text('{"scores": 1}')
    return run


@pytest.mark.parametrize(
    "name",
    [
        "records.jsonl",
        "latency.json",
        "run.json",
        "stage1.safetensors",
        "predictions/stage1_seg.npz",
    ],
)
def test_a_link_out_of_the_run_is_refused(run_folder: Path, name: str):
    assert Run(run_folder).name == "run"
    (run_folder / name).unlink(missing_ok=True)
    (run_folder / name).symlink_to(run_folder.parent / "secret")
    with pytest.raises(InputError, match=f"{Path(name).name} is a link that leads out of the run"):
        Run(run_folder)


def test_links_within_the_run_and_to_it_are_followed(run_folder: Path, tmp_path: Path):
    (run_folder / "records.jsonl").write_text("")
    (run_folder / "latency.json").symlink_to("kept.json")
    (run_folder / "kept.json").write_text("{}")
    (tmp_path / "shortcut").symlink_to(run_folder)
    assert Run(tmp_path / "shortcut").latency() == {}
    blobs = tmp_path / "cache" / "blobs"
    blobs.mkdir(parents=True)
    snapshot = tmp_path / "cache" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    for file in (run_folder / "run.json", run_folder / "stage1.safetensors"):
        (blobs / file.name).write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(blobs / file.name)
    assert Run(snapshot, root=tmp_path / "cache").stages


@pytest.mark.parametrize("name", ["run.json", "records.jsonl", "regressions.json"])
def test_a_huge_file_is_refused_unread(run_folder: Path, name: str):
    with (run_folder / name).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match=f"{name} has more than 64 MB"):
        open_run(run_folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "{}", "null"])
def test_odd_json_is_refused(run_folder: Path, text: str):
    (run_folder / "run.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        Run(run_folder)


def test_predictions_that_unpack_to_too_much_are_refused(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    path = run_folder / "predictions" / "stage1_seg.npz"
    header = b"\x93NUMPY\x01\x00"
    described = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 9999)}\n"
    header += len(described).to_bytes(2, "little") + described
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/mask.npy", header + bytes(1000))
    with pytest.raises(InputError, match="is damaged"):
        read_predictions(path.parent, 1, "seg", {"seg": ["a"]})
    np.savez_compressed(path, **{"a/mask": np.zeros((4000, 4000), np.uint8)})
    monkeypatch.setattr(predictions, "MOST_BYTES", 2**20)
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        read_predictions(path.parent, 1, "seg", {"seg": ["a"]})
    np.savez(path, **{"a/mask": np.array([{"a": 1}], object)})  # a pickle inside
    with pytest.raises(InputError, match="is damaged"):
        read_predictions(path.parent, 1, "seg", {"seg": ["a"]})


def huge(path: Path) -> None:
    """A header that claims a tensor of terabytes."""
    claim = {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}
    text = json.dumps({"__metadata__": {"format": "onehead-1"}} | claim).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def endless(path: Path) -> None:
    """A header that claims to be longer than the file."""
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")


def claims(**changes: object) -> Callable[[Path], None]:
    """The header with other entries, or another shape of the network."""

    def apply(path: Path) -> None:
        with safe_open(path, "pt") as file:
            model = json.loads(file.metadata()["model"])
        shape = {name: value for name, value in changes.items() if name in model}
        others = {name: json.dumps(value) for name, value in changes.items() if name not in model}
        reheaded(model=json.dumps(model | shape), **others)(path)

    return apply


@pytest.mark.parametrize(
    "harm",
    [
        huge,
        endless,
        claims(input_px=32 * 10**6),
        claims(head_channels=10**9),
        claims(neck_channels=10**9),
        claims(backbone="hf_hub:stranger/weights"),
        claims(backbone="../../module"),
        claims(class_names={"seg": ["a"] * 10**5}),
        claims(class_names={"seg": [{"a": 1}]}),
        claims(kinds={"seg": "code"}),
        claims(score_scales={"another": [1, 0]}),
        claims(score_scales={"det": [0, 0]}),
        claims(accepts={"another": {"score": "energy", "least": 1}}),
        claims(accepts={"cls": {"score": "energy", "least": float("nan")}}),
        claims(accepts={"cls": {"score": "code", "least": 1}}),
    ],
)
def test_a_header_that_claims_too_much_is_refused(tiny_checkpoint: Path, harm: Callable):
    harm(tiny_checkpoint)
    with pytest.raises(InputError) as refused:
        read_header(tiny_checkpoint)
    assert str(tiny_checkpoint) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", [torch.int32, torch.bool, torch.uint8])
def test_weights_of_another_kind_are_refused(tiny_checkpoint: Path, kind: torch.dtype):
    name = "neck.laterals.0.weight"
    shapes = {name: list(load_file(tiny_checkpoint)[name].shape)}
    reweighed(lambda state: state.update({name: state[name].to(kind)}))(tiny_checkpoint)
    with pytest.raises(InputError, match="do not fit its own header"):
        load_network(tiny_checkpoint)
    with pytest.raises(InputError, match="do not fit its own header"):
        read_weights(tiny_checkpoint, shapes)
