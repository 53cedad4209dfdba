"""A public visitor never makes the serving process load PyTorch, whatever is looked at."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import site_of
from app.page import build_page

ROOT = Path(__file__).parents[2]
VISIT = """
import sys
from app.cli import site_of
from app.components.grid import grid_value
from app.components.sides import opening_sides
from app.language import Words
from app.page import build_page
from app.results.api_json import answer_json, matrix_json
from app.services.latency import measure_passes
from app.services.viewed_image import ViewedImage, example_images
from app.tabs.about import about_texts
from app.tabs.broken import broken_rows
from app.tabs.compare import show
from app.tabs.forgetting import forgetting_figures
from app.tabs.latency import latency_figures

site, words = site_of(host="0.0.0.0"), Words("en")
build_page(site)
name, left = opening_sides(site)
run = site.runs.get(name)
viewed = ViewedImage.read(next(iter(example_images().values())))
show(site, viewed, name, left, words)
grid_value(site, viewed, words, site.runs.names)
answer_json(site.engines.answer(run, run.stages[-1], viewed.image), viewed)
matrix_json(run)
list(measure_passes(site.engines.engine(run.stages[-1]), site.engines, viewed.image, 2))
forgetting_figures(site, name, "kept", None, words)
for task in run.class_names:
    broken_rows(site, name, task, None, None, None, words)
latency_figures(site, name, None, words)
about_texts(site, name, words)
site.teaching.close()
sys.exit("torch was loaded" if "torch" in sys.modules else 0)
"""


def test_no_tab_and_no_answer_loads_torch():
    done = subprocess.run([sys.executable, "-c", VISIT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_pytorch_is_not_measured_for_strangers(host):
    demo = build_page(site_of(host=host))
    latency = next(f.fn for f in demo.fns.values() if f.api_name == "latency")
    with pytest.raises(Exception, match="engine is 'torch': here, expected 'default'"):
        latency(None, engine="torch")
    measure_now = next(f.fn for f in demo.fns.values() if f.api_name == "measure_now")
    with pytest.raises(Exception, match="PyTorch is measured only"):
        measure_now("onehead", 5, "torch", request=None)
