from pathlib import Path

import gradio

from app.share_card import IMAGE, with_card

PAGE = Path(gradio.__file__).parent / "templates" / "frontend" / "index.html"


def test_a_shared_link_shows_the_page_and_not_its_framework():
    page = with_card(PAGE.read_text(encoding="utf-8"), "https://host")
    assert 'property="og:title" content="OneHead"' in page
    assert 'property="og:url" content="https://host/"' in page
    assert "https://host/share.jpg" in page and IMAGE.is_file()
    assert 'gradio.app/" />' not in page and "@teamGradio" not in page
    assert "what it forgets" in page
