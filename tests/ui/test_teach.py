"""A visitor trains a network on the page, twice, and opens the run."""

from __future__ import annotations

from tests.ui.conftest import PATIENCE_MS

LONG_MS = 8 * PATIENCE_MS
DONE = "All three stages are done."


def curves(visitor) -> int:
    return visitor.page.locator("#teach-curves .scatterlayer .trace").count()


def test_a_visitor_trains_a_network_twice_and_opens_the_run(visit):
    visitor = visit()
    page = visitor.page
    visitor.tab("Teach it now")
    scene = "#teach-scenes img"
    untouched = page.get_attribute(scene, "src")
    page.click("#teach-start")
    page.locator("#teach-status").get_by_text(DONE).wait_for(timeout=LONG_MS)
    visitor.wait_drawn("teach-curves")
    assert curves(visitor) == 3
    assert page.get_attribute(scene, "src") != untouched
    assert page.locator(scene).count() == 4
    assert "After stage 3" in page.inner_text("#teach-scenes")
    visitor.shoot("teach")
    page.click("#teach-open")
    visitor.wait_checked("quick-finetune")

    page.locator("#teach-method").get_by_label("Distillation", exact=True).check()
    page.click("#teach-start")
    page.locator("#teach-status").get_by_text("being opened").wait_for()
    assert page.is_disabled("#teach-start") and page.is_enabled("#teach-stop")
    page.locator("#teach-status").get_by_text(DONE).wait_for(timeout=LONG_MS)
    page.wait_for_function(
        "() => document.querySelectorAll('#teach-curves .scatterlayer .trace').length === 6"
    )
