"""Scripts in the names of runs, classes and files are shown as text, and none runs."""

import json
from dataclasses import replace

import pytest
from stand_in import NAMES, StandInEngine, judge, make_run, make_validation_set

from app.services.viewed_image import example_images

EVIL = "<img src=x onerror=window.hacked=1>"
SCRIPT = "<script>window.hacked=1</script>"


class EvilEngine(StandInEngine):
    def __init__(self, weights):
        super().__init__(weights)
        self.info.class_names = evil_names()

    def predict(self, image, score_threshold=0.05):
        return replace(super().predict(image, score_threshold), class_names=evil_names())


def evil_names():
    return {
        task: [name if name == "background" else f"{name}{EVIL}{SCRIPT}" for name in names]
        for task, names in NAMES.items()
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from app.page import build_page, launch_options
    from app.services.engines import EngineShelf
    from app.services.runs import RunShelf
    from app.services.validation_images import ValidationImages
    from app.site import Site

    folder = tmp_path_factory.mktemp("evil")
    runs = []
    for name, method in ((f"a{EVIL}", "distill"), (f"b{EVIL}", f"x:{EVIL}")):
        run = make_run(folder, name, method)
        judge(run)
        for file in ("run.json", "records.jsonl", "regressions.json"):
            text = (run.path / file).read_text()
            for names in NAMES.values():
                for known in names:
                    if known != "background":
                        text = text.replace(f'"{known}"', json.dumps(f"{known}{EVIL}{SCRIPT}"))
            (run.path / file).write_text(text)
        runs.append(type(run)(run.path))
    images = ValidationImages(make_validation_set(folder / "data", runs[1]))
    demo = build_page(Site(RunShelf(runs), EngineShelf(EvilEngine), True, images))
    demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield demo.local_url
    demo.close()


def test_no_script_in_a_name_runs(visit):
    visitor = visit()
    page = visitor.page
    page.get_by_role("button", name="Remove Image").click()
    page.wait_for_selector(".ov[data-ready=no]")
    content = example_images()["cat"].read_bytes()
    file = {"name": f"{EVIL}.jpg", "mimeType": "image/jpeg", "buffer": content}
    page.set_input_files("#image input[type=file]", file)
    visitor.wait_stage(3)
    page.locator("#draw-grid").click()
    page.wait_for_selector("#grid figure")
    told = [page.inner_text("body")]
    for tab in ("Forgetting", "What broke", "Teach it now", "Latency", "About"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(700)
        told.append(page.inner_text("body"))
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert f"a{EVIL}" in told[0]  # as text, in the choice of runs
    assert f"dog{EVIL}" in "".join(told)
