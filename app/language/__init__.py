"""What the page says, in English and in Traditional Chinese."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.palette import readable
from mtl_core.types import InputError

if TYPE_CHECKING:
    import gradio as gr

LANGUAGES = {"en": "English", "zh-TW": "繁體中文"}
# Readers of Simplified Chinese are better served by Traditional Chinese than by English.
_FILES = {"en": "en", "zh-TW": "zh_tw", "zh-CN": "zh_tw"}


class Words:
    """Sentences of one language: ``words("viewer.stage", number=1)``.

    Args:
        language: a BCP 47 tag; one that is not known means English.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language if language in _FILES else "en"
        self.table: dict[str, str] = _table(_FILES[self.language])

    def __call__(self, key: str, **values: Any) -> str:
        """The sentence of that key with its values filled in."""
        return self.table[key].format(**values) if values else self.table[key]

    def class_name(self, name: str) -> str:
        """A class's name for people."""
        return self.table.get(f"class.{name.lower().replace(' ', '')}", readable(name))

    def task(self, task: str) -> str:
        """A task's name for people."""
        return self.table.get(f"task.{task}", task)


@dataclass(frozen=True)
class Sentence:
    """One that is told when it is known who listens: its key and the values that go into it."""

    key: str
    values: dict[str, Any]

    def said(self, words: Words) -> str:
        """The sentence in that language."""
        return words(self.key, **self.values)


class Refusal(InputError):
    """Bad input that the page itself noticed, told in its visitor's language.

    Args:
        key: of the sentence.
        values: that go into it.
    """

    def __init__(self, key: str, **values: Any) -> None:
        self.sentence = Sentence(key, values)
        super().__init__(self.sentence.said(Words("en")))


def language_of(query: dict[str, str], accept_language: str) -> str:
    """The language that a request asks for, as the browser's side decides it too.

    Args:
        query: of the page's address; ``lang`` wins.
        accept_language: the header; its first tag is what browsers call their language.
    """
    for tag in (query.get("lang", ""), accept_language.split(",")[0].split(";")[0].strip()):
        if tag in _FILES:
            return tag
    return "en"


def translations() -> gr.I18n:
    """The same tables for the labels that Gradio translates in the browser.

    Where Gradio's own words have gaps it would show their keys, so those words are ours, too.
    """
    import gradio as gr

    gaps = _table("gradio_gaps")
    return gr.I18n(**{tag: _table(file) | gaps[tag] for tag, file in _FILES.items()})


@lru_cache
def _table(file: str) -> dict[str, Any]:
    path = Path(__file__).with_name(f"{file}.json")
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table
