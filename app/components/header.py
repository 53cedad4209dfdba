"""The page's head: its name, one sentence, the source code, and the way to the other language."""

from __future__ import annotations

from html import escape

import gradio as gr

from app.language import LANGUAGES, Words

# The page changes its words in place, so that image, run, sides and stage stay; where Gradio's
# own labels cannot follow, it is loaded anew. Opening the link elsewhere is left to the browser.
_SWITCH = """
element.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-language]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const language = link.dataset.language;
  const there = new URL(window.location.href);
  there.searchParams.set("lang", language);
  if (!(await window.oneHeadSpeak(language))) return window.location.assign(there);
  history.replaceState(history.state, "", there);
  trigger("select", { value: language });
});
"""


def page_header(repository: str) -> gr.HTML:
    """The component; its ``select`` event means that the visitor now reads another language."""
    return gr.HTML(header_html(Words("en"), repository), js_on_load=_SWITCH, elem_id="header")


def header_html(words: Words, repository: str = "") -> str:
    """Name, one sentence, the way to the source code, if it is known, and to the other language."""
    other = "zh-TW" if words.language == "en" else "en"
    source = (
        f"<a href='{escape(repository)}' target='_blank' rel='noopener'>"
        f"{words('header.source')}</a>"
    )
    return (
        "<header class='oh-header'><div><h1>OneHead</h1>"
        f"<p>{words('tagline')}</p></div><span>{source if repository else ''}"
        f"<a href='?lang={other}' hreflang='{other}' lang='{other}' data-language='{other}'>"
        f"{LANGUAGES[other]}</a></span></header>"
    )
