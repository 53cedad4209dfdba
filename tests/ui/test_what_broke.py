def chosen(visitor, elem_id):
    return visitor.page.locator(f"#{elem_id} input").first.input_value()


def test_a_broken_image_opens_in_compare_beside_the_truth(visit):
    visitor = visit("?run=forgets&left=keeps:2&right=forgets:2")
    key = visitor.viewer("key")
    visitor.tab("What broke")
    images = visitor.page.locator("#broken-gallery button.thumbnail-item, #broken-gallery img")
    images.first.wait_for()
    assert "Images that lost something: 2" in visitor.page.inner_text("#broken-summary")
    assert "dog: mask eaten 30 %, wrong class 10 %" in visitor.page.inner_text("#broken-gallery")
    kinds = visitor.page.locator("#broken-kinds")
    assert "parts of an object now taken for background" in kinds.inner_text()
    visitor.shoot("broken")
    images.first.click()
    visitor.wait_other_answer(key)
    visitor.wait_stage(3)
    frames = visitor.page.locator(".ov-frame")
    assert frames.count() == 4
    assert "Truth: annotated by people" in frames.nth(3).inner_text()
    assert "dog" in frames.nth(3).inner_text()
    assert "not trained yet" not in frames.nth(3).inner_text()
    # The two stages between which it broke lie against each other.
    for side, stage in (("left", 1), ("right", 3)):
        assert f"(forgets) · Stage {stage}" in visitor.page.inner_text(f".ov-name-{side}")
    visitor.shoot("broken-in-compare")
    # The answer stays when the browser has put the image into the upload.
    visitor.page.wait_for_timeout(1500)
    assert visitor.page.locator(".ov-frame").count() == 4
    visitor.page.click(".ov-copy")
    link = visitor.viewer("link")
    assert "annotated=seg%2Fp1" in link
    again = visit(link[link.index("?") :])
    assert "Truth: annotated by people" in again.page.locator(".ov-frame").nth(3).inner_text()
    for gone in ("seg/p9", "nothing/p1", "seg/../p1"):
        other = visit(f"?run=forgets&annotated={gone}")
        assert "astronaut" in other.page.locator(".ov-canvas").get_attribute("aria-label")


def test_filters_narrow_the_list(visit):
    visitor = visit("?run=forgets")
    visitor.tab("What broke")
    visitor.page.locator("#broken-gallery img").first.wait_for()
    visitor.page.locator("#broken-kind input").click()
    visitor.page.get_by_role("option", name="mask flooded").click()
    visitor.page.get_by_text("Images that lost something: 1").wait_for()
    visitor.page.locator("#broken-task").get_by_role("radio", name="detection").check()
    # Only the masks' images are at hand: of the boxes the table is left.
    cell = visitor.page.locator("#broken-rows").get_by_test_id("cell-0-2")
    cell.get_by_text("lost box 2").wait_for()
    assert not visitor.page.locator("#broken-gallery").is_visible()


def test_a_class_in_a_figure_leads_to_its_images(visit):
    visitor = visit("?run=forgets")
    # Another task was looked at before.
    visitor.tab("What broke")
    visitor.page.locator("#broken-task").get_by_role("radio", name="detection").check()
    visitor.page.locator("#broken-kinds").get_by_text("lost box").wait_for()
    visitor.tab("Forgetting")
    visitor.wait_drawn("classes")
    mark = visitor.page.locator("#classes .scatterlayer .trace").nth(2).locator("path.point")
    names = visitor.page.evaluate(
        """() => document.querySelector('#classes .js-plotly-plot')
             .data[2].customdata.map(row => row[0])"""
    )
    mark.nth(names.index("dog")).scroll_into_view_if_needed()
    box = mark.nth(names.index("dog")).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visitor.page.mouse.move(x - 3, y)
    visitor.page.mouse.move(x, y)
    visitor.page.mouse.click(x, y)
    visitor.page.locator("#broken-summary").get_by_text("Images that lost something: 1").wait_for()
    visitor.page.wait_for_timeout(1500)  # what else the choice of another task might set off
    assert chosen(visitor, "broken-class") == "dog"
    # One is led to the top of the list, wherever the figure stood.
    bar = visitor.page.locator("#tabs").bounding_box()
    assert -1 <= bar["y"] < 900


def test_a_run_that_was_not_judged_says_what_is_missing(visit):
    visitor = visit("?run=keeps")
    visitor.tab("What broke")
    visitor.page.locator("#broken-summary").get_by_text("training.judge").wait_for()


def test_the_list_comes_back_after_a_run_that_has_none(visit):
    visitor = visit("?run=forgets")
    visitor.tab("What broke")
    visitor.page.locator("#broken-gallery img").first.wait_for()
    for run in ("keeps", "forgets"):
        visitor.page.get_by_role("radio", name=run).check()
        told = "not been judged" if run == "keeps" else "Images that lost something: 2"
        visitor.page.locator("#broken-summary").get_by_text(told).wait_for()
    assert not visitor.page.locator(".toast-body").count()


def test_a_broken_image_opens_after_a_run_and_a_left_side_were_chosen_by_hand(visit):
    visitor = visit("?run=keeps&left=none")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.page.wait_for_selector(".ov[data-run=forgets]")
    visitor.page.locator("#left input").click()
    visitor.page.get_by_role("option", name="keeps").first.click()
    visitor.page.wait_for_selector(".ov[data-left=keeps]")
    visitor.tab("What broke")
    visitor.page.locator("#broken-gallery img").first.click()
    visitor.page.locator(".ov-frame").get_by_text("Truth: annotated by people").wait_for()
    assert "(forgets) · Stage 1" in visitor.page.inner_text(".ov-name-left")
    assert "(forgets) · Stage 3" in visitor.page.inner_text(".ov-name-right")
