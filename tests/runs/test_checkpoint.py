"""Checkpoints: a file is enough by itself, and a bad one is told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtl_core.engine.network_file import load_network, read_info, save_checkpoint
from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.runs.checkpoint import set_input_px
from mtl_core.types import InputError
from tests.runs.rewritten_checkpoints import reheaded, reweighed


def test_a_file_gives_the_network_back(
    tiny_network: UnifiedVisionSystem, tiny_checkpoint: Path, tmp_path: Path
):
    network, info = load_network(tiny_checkpoint)
    assert info.model == tiny_network.config
    assert info.class_names == {t: k.class_names for t, k in tiny_network.tasks.items()}
    assert (info.stage, info.trained) == (2, ["seg", "det"])
    assert not network.training and network.norms_frozen
    for name, value in tiny_network.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(network.state_dict()[name], expected), name
    # A second trip loses nothing more.
    save_checkpoint(tmp_path / "again.safetensors", network, 2, ["seg", "det"])
    again = load_file(tmp_path / "again.safetensors")
    assert all(torch.equal(v, again[k]) for k, v in load_file(tiny_checkpoint).items())
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_another_input_size_changes_nothing_but_the_header(tiny_checkpoint: Path):
    before, weights = read_info(tiny_checkpoint), load_file(tiny_checkpoint)
    set_input_px(tiny_checkpoint, 192)
    after = read_info(tiny_checkpoint)
    assert after == replace(before, model=replace(before.model, input_px=192))
    again = load_file(tiny_checkpoint)
    assert weights.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    with pytest.raises(InputError, match="multiple of 32"):
        set_input_px(tiny_checkpoint, 200)


def test_weights_are_half_precision_and_the_header_tells_all(tiny_checkpoint: Path):
    kinds = {v.dtype for v in load_file(tiny_checkpoint).values() if v.is_floating_point()}
    assert kinds == {torch.float16}
    with tiny_checkpoint.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))["__metadata__"]
    assert {"format", "model", "class_names", "stage", "trained"} <= set(header)
    assert read_info(tiny_checkpoint).class_names["cls"] == json.loads(header["class_names"])["cls"]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


WEIGHT, STATISTIC = "neck.laterals.0.weight", "neck.norm.running_var"
# what is broken, words that the sentence must hold
BAD = {
    "missing": (Path.unlink, "does not exist"),
    "a directory": (lambda p: (p.unlink(), p.mkdir()), "does not exist"),
    "empty": (lambda p: p.write_bytes(b""), "not a readable safetensors file"),
    "cut short": (cut_short, "not a readable safetensors file"),
    "a pickle": (lambda p: torch.save({"a": 1}, p), "not a readable safetensors file"),
    "foreign": (lambda p: save_file({"a": torch.zeros(1)}, p), "expected format 'onehead-1'"),
    "another version": (reheaded(format="onehead-9"), "found 'onehead-9'"),
    "header is no JSON": (reheaded(model="{"), "damaged header"),
    "header is a list": (reheaded(model="[1]"), "damaged header"),
    "header of a stranger": (reheaded(model='{"layers": 3}'), "damaged header"),
    "stage is no number": (reheaded(stage="last"), "damaged header"),
    "names are a number": (reheaded(class_names='{"seg": 3}'), "damaged header"),
    "a task of a stranger": (reheaded(class_names='{"depth": ["m"]}'), "the task 'depth'"),
    "too many names": (reheaded(class_names='{"seg": ["a", "b"]}'), "do not fit its own header"),
    "a weight is missing": (reweighed(lambda s: s.pop(WEIGHT)), "do not fit its own header"),
    "a weight is not finite": (reweighed(lambda s: s[WEIGHT].fill_(torch.nan)), "not finite"),
    "a statistic is not finite": (reweighed(lambda s: s[STATISTIC].fill_(torch.inf)), "not finite"),
}


@pytest.mark.parametrize(("damage", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_told_in_one_sentence(
    tiny_checkpoint: Path, damage: Callable[[Path], object], words: str
):
    damage(tiny_checkpoint)
    with pytest.raises(InputError) as caught:
        load_network(tiny_checkpoint)
    sentence = str(caught.value)
    assert words in sentence and str(tiny_checkpoint) in sentence
    assert "\n" not in sentence and sentence.endswith(".")


def test_flipped_bytes_of_the_weights_are_noticed(tiny_checkpoint: Path):
    content = bytearray(tiny_checkpoint.read_bytes())
    for place in (len(content) - 1, len(content) // 2):
        flipped = bytearray(content)
        flipped[place] ^= 1
        tiny_checkpoint.write_bytes(flipped)
        with pytest.raises(InputError, match="its weights are not those that were written"):
            load_network(tiny_checkpoint)
