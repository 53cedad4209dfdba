"""What the documents point at stands where they say, and the method that they show works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from mtl_core.model.network import UnifiedVisionSystem
from mtl_core.presets import preset
from mtl_core.retention.base import StageContext

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path: Path):
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, heading = link.partition("#")
        target = (path.parent / place) if place else path
        assert "://" in link or target.exists(), link
        if heading and "://" not in link:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {title.lower().replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_named_files_exist(path: Path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:mtl_core|training|app|tests|docs|assets)/[\w/.-]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_method_that_is_shown(tiny_network: UnifiedVisionSystem):
    text = (ROOT / "docs" / "add_a_method.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(compile(example, "add_a_method.md", "exec"), names)
    method, stages = names["NearStart"](), preset("tiny").stages
    method.before_stage(StageContext(tiny_network, stages[0]))
    assert method.loss([], None) == {}
    method.before_stage(StageContext(tiny_network, stages[1], earlier=[stages[0].task]))
    [(_, term)] = method.loss([], None).items()
    assert term.item() == 0
    moved = tiny_network.neck
    with torch.no_grad():
        for weight in moved.parameters():
            weight += 0.5
    [(_, term)] = method.loss([], None).items()
    count = sum(weight.numel() for weight in moved.parameters())
    assert term.item() == pytest.approx(names["PENALTY"] / 2 * 0.25 * count, rel=1e-4)
    term.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in moved.parameters())
