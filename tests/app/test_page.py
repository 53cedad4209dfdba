import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from stand_in import StandInEngine, make_run, record_rows

from app.about import drawing, licences, prose, provenance
from app.components.header import header_html
from app.language import Words
from app.page import build_page, launch_options
from app.results import sent_frame
from app.results.sent_frame import _resized as resized
from app.services.engines import EngineShelf
from app.services.image_reading import read_upload
from app.services.runs import RunShelf
from app.services.viewed_image import EXAMPLES, ViewedImage, example_images
from app.site import Site
from app.tabs.about import about_texts
from app.tabs.compare import show
from app.tabs.forgetting import forgetting_figures
from app.tabs.latency import latency_figures
from mtl_core.presets import large
from mtl_core.types import Boxes, LabelMap

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_page_is_built_for_any_number_of_runs(tmp_path, count):
    runs = [make_run(tmp_path, name) for name in ("keeps", "forgets")[:count]]
    demo = build_page(Site(RunShelf(runs), EngineShelf(StandInEngine)))
    public = {f.api_name for f in demo.fns.values() if f.api_visibility == "public"}
    assert public == {"predict", "compare_stages", "overlay", "mask", "matrix", "latency"}


def test_ids_and_keys_use_no_story_words(site):
    ids = [str(block.elem_id) for block in build_page(site).blocks.values()]
    assert "broken-summary" in ids
    found = [name for name in [*ids, *Words("en").table] if re.search(r"\b(told|taught)\b", name)]
    for path in (ROOT / "app").rglob("*.js"):
        found += re.findall(r"dataset\.(?:told|taught)\b", path.read_text(encoding="utf-8"))
    assert found == []


def test_every_tab_has_an_empty_state(tmp_path):
    nothing = Site(RunShelf(), EngineShelf(StandInEngine))
    bare = Site(RunShelf([make_run(tmp_path, records=False)]), EngineShelf(StandInEngine))
    words = Words("en")
    for site in (nothing, bare):
        verdicts, curve, *_ = forgetting_figures(site, None, "kept", "seg", words)
        assert "records.jsonl" in verdicts
        assert curve["visible"] is False
    assert "Measure now" in latency_figures(nothing, None, None, words)[0]
    assert about_texts(nothing, None, words)[2] == ""


def test_figures_follow_the_run(site):
    _, curve, matrix, _, classes, *_ = forgetting_figures(
        site, "forgets", "kept", "seg", Words("en")
    )
    assert curve["value"].data
    assert matrix["value"].data[0].z[2][0] == pytest.approx(0.2)
    assert classes["visible"]
    *_, methods, told = forgetting_figures(site, "keeps", "value", "cls", Words("en"))
    assert methods["visible"] and told == ""  # whose images' number is not known


@pytest.mark.parametrize("words", [Words("en"), Words("zh-TW")], ids=["en", "zh"])
def test_values_and_sentences_are_in_the_visitors_language(site, words):
    outputs = forgetting_figures(site, "forgets", "kept", None, words)
    curve, matrix, _, methods = (text for text in outputs if "oh-tools" in str(text))
    assert "<td>2</td>" in curve and "<td>2.000</td>" not in curve
    values = matrix.partition("<table")[2] + methods.partition("<table")[2]
    assert "✓" in values and not re.search(r">(True|False|None|nan)<", values)
    viewed = ViewedImage(np.zeros((60, 80, 3), np.uint8))
    *_, timing = show(site, viewed, "forgets", "", words)
    end = {"en": ". forgets: all 3", "zh-TW": "。forgets：3 個"}[words.language]
    assert timing.startswith(words("run.finetune") + end)


def test_a_run_alone_with_its_images_shows_the_study_and_says_so(tmp_path):
    runs = [make_run(tmp_path, name) for name in ("large", "keeps", "forgets")]
    for run, counts in zip(runs, ((1344, 150), (240, 60), (240, 60)), strict=True):
        train, measured = ({"n": n} for n in counts)
        run.manifest["data_fingerprint"] = {"seg": {"train": train, "eval": measured}}
    for words in (Words("en"), Words("zh-TW")):
        site = Site(RunShelf(runs), EngineShelf(StandInEngine))
        *_, methods, told = forgetting_figures(site, "large", "kept", "seg", words)
        names = [trace.name for trace in methods["value"].data]
        assert names == [f"{words('method.distill')}: {name}" for name in ("keeps", "forgets")]
        assert told.startswith(words("methods.elsewhere", run="large"))
        *_, told = forgetting_figures(site, "keeps", "kept", "seg", words)
        assert told == words("methods.made_on", images=f"{words.task('seg')} 240 + 60")
    alone = Site(RunShelf(runs[:1]), EngineShelf(StandInEngine))
    *_, methods, told = forgetting_figures(alone, None, "kept", "seg", Words("en"))
    assert not methods["visible"] and "--run PATH" in told


@pytest.mark.parametrize("flat", [("keeps",), ("keeps", "forgets")], ids=len)
def test_runs_with_a_task_of_zero_are_left_out_of_the_comparison_and_named(tmp_path, flat):
    runs = [make_run(tmp_path, name) for name in ("keeps", "forgets")]
    for run in runs:
        rows = [r | {"value": r["value"] * (r["task"] != "seg")} for r in record_rows()]
        if run.name in flat:
            (run.path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    site = Site(RunShelf(runs), EngineShelf(StandInEngine))
    for name in ("keeps", "forgets"):
        *_, tools, methods, told = forgetting_figures(site, name, "kept", "seg", Words("en"))
        assert not methods["visible"] and tools == ""  # one mark alone compares nothing
        assert f"Left out: {', '.join(flat)}." in told


@pytest.mark.parametrize("words", [Words("en"), Words("zh-TW")], ids=["en", "zh"])
def test_a_run_rescored_at_another_size_is_not_said_to_have_other_images(tmp_path, words):
    runs = [make_run(tmp_path, name) for name in ("smaller", "keeps", "forgets")]
    for run in runs:
        run.manifest["data_fingerprint"] = {"seg": {"train": {"n": 240}, "eval": {"n": 60}}}
    runs[0].manifest["evaluated_input_px"] = 256
    site = Site(RunShelf(runs), EngineShelf(StandInEngine))
    *_, told = forgetting_figures(site, "smaller", "kept", "seg", words)
    size, tasks = {"en": ("input size", "tasks"), "zh-TW": ("輸入大小", "任務")}[words.language]
    assert size in told and tasks in told and "240 + 60" in told


def test_after_a_long_pause_another_language_asks_the_networks_once(site, monkeypatch):
    demo = build_page(site)
    say_again = next(f.fn for f in demo.fns.values() if f.name == "say_again")
    monkeypatch.setattr("app.tabs.compare.uploaded_path", Path)
    cat = str(example_images()["cat"])
    viewed, *_ = say_again(None, cat, "keeps", "keeps:1", request=None)
    assert viewed.image.ndim == 3 and site.engines.passes == 3


def test_a_file_that_is_saved_is_made_of_what_it_holds_alone(site, monkeypatch):
    """A map in the pixels of a large file takes a hundred megabytes."""
    made = []
    monkeypatch.setattr(
        sent_frame,
        "_resized",
        lambda part, *sizes: made.append(type(part)) or resized(part, *sizes),
    )
    save = next(f.fn for f in build_page(site).fns.values() if f.name == "save")
    viewed = ViewedImage(np.zeros((60, 80, 3), np.uint8), (120, 160))
    shown = {
        "run": "keeps",
        "stage": 3,
        "opacity": 1,
        "threshold": 0.1,
        "boxes": True,
        "hidden": [],
    }
    for kind in ("boxes", "mask", "overlay"):
        save(viewed, None, SimpleNamespace(_data=shown | {"kind": kind}), request=None)
    assert made == [Boxes, LabelMap]


def test_a_visitor_who_leaves_is_forgotten_while_no_other_is_moved(site):
    demo = build_page(site)
    left = [f.fn for f in demo.fns.values() if (None, "unload") in f.targets]
    (forget,) = [fn for fn in left if fn.__module__ == build_page.__module__]
    holder = demo.state_holder
    holder.session_data["gone"] = holder.time_last_used["gone"] = object()
    leaving = threading.Thread(target=forget, args=(SimpleNamespace(session_hash="gone"),))
    with holder.lock:  # as Gradio holds it for another visitor's request
        leaving.start()
        leaving.join(0.2)
        assert "gone" in holder.session_data and leaving.is_alive()
    leaving.join(10)
    assert "gone" not in holder.session_data and "gone" not in holder.time_last_used


def test_choices_are_taken_from_visitors_whose_session_was_let_go(site):
    """As a hundred later visitors make it: Gradio then knows no choice that was filled in later."""
    choices = {"run", "left", "broken-span", "broken-kind", "broken-class"}
    inputs = {c.elem_id: c for f in build_page(site).fns.values() for c in f.inputs}
    assert choices <= set(inputs)
    for name in choices:
        assert inputs[name].preprocess("keeps:1") == "keeps:1", name


def test_building_the_page_does_not_load_torch():
    code = "import sys, app.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_example_is_small_readable_and_credited():
    credits = (EXAMPLES / "LICENSES.md").read_text(encoding="utf-8")
    images = example_images()
    assert images
    for path in images.values():
        assert path.stat().st_size < 400_000
        assert f"`{path.name}`" in credits
        assert read_upload(path)[0].ndim == 3


def test_about_is_written_in_both_languages():
    english, chinese = prose(Words("en")), prose(Words("zh-TW"))
    assert "three tasks" in english and "三個任務" in chinese
    # What it says of the shipped run and of how to cite it is what stands elsewhere.
    seg, det, cls = large().stages
    assert seg.lr_backbone and det.lr_backbone and not cls.lr_backbone
    assert "*onehead* in the first two" in english and "*onehead* 在前兩個階段" in chinese
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    title, authors = (re.search(rf'{key}: "?(.+?)"?\n', citation) for key in ("title", "- name"))
    assert title is not None and authors is not None
    for text in (english, chinese):
        assert f"{{{title[1]}}}" in text and f"{{{{{authors[1]}}}}}" in text
    assert "Chelsea" in licences(Words("en"))
    assert "虎斑貓的臉" in licences(Words("zh-TW")) and "CC0" in licences(Words("zh-TW"))
    for words in (Words("en"), Words("zh-TW")):
        assert words("drawing.backbone") in drawing(words)
        assert "{" not in drawing(words)


def test_every_line_of_the_licences_is_said_in_chinese():
    """The file is in English: a line that was changed there must be changed in both languages."""
    chinese, english = licences(Words("zh-TW")), licences(Words("en"))
    assert english.strip() in (EXAMPLES / "LICENSES.md").read_text(encoding="utf-8")
    head, note = (Words("zh-TW")(f"about.licence_{part}") for part in ("head", "note"))
    for key in ("head", "note"):
        assert Words("en")(f"about.licence_{key}") in english.splitlines()
    lines = chinese.splitlines()
    assert head in lines and note in lines
    for name in example_images():
        (row,) = (line for line in lines if line.startswith(f"| `{name}.jpg` |"))
        assert f" {Words('zh-TW')(f'example.{name}')} " in row
        (own,) = (line for line in english.splitlines() if f"`{name}.jpg`" in line)
        assert row.split("|")[3:] == own.split("|")[3:]  # author, source and licence as they are
    same = set(lines) & set(english.splitlines()) - {"", "|---|---|---|---|"}
    assert all(re.fullmatch(r"CC[\w .]+: <https://\S+>\.", line) for line in same), same


def test_provenance_reads_whatever_the_manifest_holds(tmp_path):
    run = make_run(tmp_path)
    html = provenance("a<b", run, Words("en"))
    assert "a&lt;b" in html
    assert "segmentation (4) → detection (4)" in html
    assert "1.7 min" in html
    assert "1.7 分鐘" in provenance("a", run, Words("zh-TW"))
    assert "384 px" not in html
    run.manifest["config"]["model"] = {"input_px": 512}
    run.manifest["evaluated_input_px"] = 384  # a run may be measured at another size
    assert "384 px" in provenance("a", run, Words("en"))
    # Of a stage that was trained further all trainings count; a first stage is taken as it was.
    before = {"settings": {"epochs": 15}, "seconds": 600, "trained_before": None}
    run.manifest["trained_before"] = {"1": before, "2": before}
    html = provenance("a", run, Words("en"))
    assert "segmentation (4) → detection (15 + 4)" in html and "11.7 min" in html
    run.manifest = {"config": {"stages": []}}
    assert provenance("bare", run, Words("en")).count("<tr>") == 1


def test_the_header_leads_to_the_other_language():
    assert "lang=zh-TW" in header_html(Words("en"))
    assert "lang=en" in header_html(Words("zh-TW"))


def test_the_header_leads_to_the_source_code_where_its_address_is_known(tmp_path):
    assert header_html(Words("en")).count("<a ") == 1
    known = "https://example.org/?a=1&b='"
    for words in (Words("en"), Words("zh-TW")):
        shown = header_html(words, known)
        assert "href='https://example.org/?a=1&amp;b=&#x27;'" in shown
        assert f">{words('header.source')}</a>" in shown
    site = Site(RunShelf([make_run(tmp_path)]), EngineShelf(StandInEngine), repository=known)
    demo = build_page(site)
    (header,) = (b for b in demo.blocks.values() if b.elem_id == "header")
    assert "example.org" in header.value
    for name in ("first_words", "other_words"):
        answer = next(f.fn for f in demo.fns.values() if f.name == name)
        assert "example.org" in answer(request=gr.Request(headers={}, query_params={}))[1]


def test_nothing_is_fetched_from_elsewhere():
    options = launch_options()
    style = "".join(Path(p).read_text(encoding="utf-8") for p in options["css_paths"])
    assert "http" not in style
    assert "http" not in options["head"]
    assert "fonts.googleapis" not in str(options["theme"]._stylesheets)
