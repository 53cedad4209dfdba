"""Crowds smaller than that of ``python -m tests.load``: nobody is refused, mixed up, held up."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import gradio_client
import pytest
from stand_in import StandInEngine, make_run

from app.page import build_page, launch_options
from app.services.engines import EngineShelf
from app.services.runs import RunShelf
from app.services.viewed_image import example_images
from app.site import Site
from mtl_core.types import InputError
from tests.load import Options, measured
from tests.soak import Options as SoakOptions

PATIENCE_S = 300


def test_everybody_in_a_crowd_is_answered_with_the_own_image(address):
    options = Options(programs=12, browsers=3, requests=2)
    with ThreadPoolExecutor(1) as pool:  # the browser's tests keep a loop running in this thread
        tallies = pool.submit(asyncio.run, measured(address, options)).result()
    for tally, count in zip(tallies, (options.programs, options.browsers), strict=True):
        assert tally.faults == []
        assert tally.right == count * options.requests
        assert tally.untold == 0


def test_growth_of_memory_is_not_measured_from_one_measurement():
    for requests, settled in ((399, 200), (10, 0)):
        with pytest.raises(InputError, match="at least twice as many requests"):
            SoakOptions(requests, settled)


def test_a_run_that_is_being_opened_holds_up_no_visitor_of_another(tmp_path):
    reached, may_end = threading.Event(), threading.Event()

    def opening(path):
        if path.parent.name == "slow":
            reached.set()
            assert may_end.wait(PATIENCE_S)
        return StandInEngine(path)

    runs = RunShelf([make_run(tmp_path, "slow"), make_run(tmp_path, "quick")])
    page = build_page(Site(runs, EngineShelf(opening)))
    page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        image = gradio_client.handle_file(str(example_images()["cat"]))
        first, second = (gradio_client.Client(page.local_url, verbose=False) for _ in range(2))
        waiting = [first.submit(image, "slow", api_name="/predict") for _ in range(2)]
        assert reached.wait(PATIENCE_S)
        answer = second.submit(image, "quick", api_name="/predict").result(PATIENCE_S)
        assert answer["run"] == "quick" and not any(job.done() for job in waiting)
        may_end.set()
        assert {job.result(PATIENCE_S)["run"] for job in waiting} == {"slow"}
    finally:
        may_end.set()
        page.close()
