import re
import string
from pathlib import Path

import gradio as gr
import pytest
from stand_in import NAMES

import app.language as language
from app.language import Refusal, Words, language_of, translations
from app.services.viewed_image import example_images
from app.site import says_refusals

APP = Path(language.__file__).parent.parent


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things():
    english, chinese = Words("en").table, Words("zh-TW").table
    spoken = {key for key in chinese if not key.startswith("class.")}
    assert spoken == set(english)
    for key in english:
        assert fields(english[key]) == fields(chinese[key]), key


def test_every_class_has_a_chinese_name():
    from app.palette import _IN_ORDER_OF_USE

    words = Words("zh-TW")
    for name in _IN_ORDER_OF_USE:
        assert f"class.{name}" in words.table
    assert Words("en").class_name("diningtable") == "dining table"
    assert words.class_name("dining table") == "餐桌"
    assert words.class_name("zebra") == "zebra"
    assert words.task(NAMES and "seg") == "語意分割"


def test_every_word_that_the_code_asks_for_exists():
    known = Words("en").table
    asked = set()
    for path in APP.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r"\b(?:words|t|Refusal)\(\s*\"([\w.]+)\"", text))
    for path in APP.rglob("*.js"):
        asked |= set(re.findall(r"words\[\"([\w.]+)\"\]", path.read_text(encoding="utf-8")))
    missing = {key for key in asked if key not in known}
    assert not missing


def test_every_word_is_asked_for():
    code = "\n".join(
        path.read_text(encoding="utf-8") for kind in ("*.py", "*.js") for path in APP.rglob(kind)
    )
    asked = set(re.findall(r"[\"']([\w.]+)[\"']", code))
    built = tuple(set(re.findall(r"[\"'`]([a-z]\w*\.[\w.]*)(?:\$?\{|[\"'] ?\+)", code)))
    built += ("drawing.",)  # all of them, into the drawing
    unused = {key for key in Words("en").table if key not in asked and not key.startswith(built)}
    assert not unused


GRADIO = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
# Of components that the page has not, of kinds of files, and of Gradio's own settings, which are in
# English then.
NOT_HERE = re.compile(
    r"audio\.|chatbot\.|dataframe\.import_|image\.png|common\.(stop_recording|video"
    r"|back_to_app|runs|screen_studio)"
)


def words_that_gradio_asks_for() -> set[str]:
    groups = "common|status|blocks|dataframe|upload_text|image|errors|file|audio|chatbot"
    asked = set()
    for path in GRADIO.glob("*.js"):
        text = path.read_text(encoding="utf-8", errors="ignore")
        asked |= set(re.findall(rf"[`\"']((?:{groups})\.[a-z_]+)[`\"']", text))
    return {key for key in asked if not NOT_HERE.match(key)}


def words_that_gradio_has(language: str) -> set[str]:
    (path,) = GRADIO.glob(f"{language}-*.js")
    text = path.read_text(encoding="utf-8")
    tables = dict(re.findall(r"(?<![\w$])([\w$]+)=\{((?:[\w$]+:`[^`]*`,?)*)\}", text))
    groups = re.findall(r"([\w$]+) as ([\w$]+)", text[text.rindex("export{") :])
    return {
        f"{group}.{key}"
        for table, group in groups
        for key in re.findall(r"(?:^|,)([\w$]+):`", tables.get(table, ""))
    }


@pytest.mark.parametrize("language", ["zh-TW", "zh-CN"])
def test_gaps_in_the_own_words_of_the_framework_are_filled(language):
    asked, known = words_that_gradio_asks_for(), words_that_gradio_has(language)
    assert len(asked) > 40 and len(known) > 80  # else its files are no longer read aright
    assert not asked - known - set(translations().translations_dict[language])


def test_english_gaps_of_the_framework_are_filled():
    (path,) = GRADIO.glob("core-*.js")  # its English words are in there
    core, ours = path.read_text(encoding="utf-8"), translations().translations_dict["en"]
    assert ours["common.complete"]  # its last word alone has other uses in there
    assert not {
        key
        for key in words_that_gradio_asks_for() - set(ours)
        if not re.search(rf"[{{,]{key.split('.')[1]}:`", core)
    }


def test_a_refusal_is_told_in_the_language_of_who_hears_it():
    refusal = Refusal("image.small", width=3, height=4, least=8)
    assert "at least 8 a side" in str(refusal)
    assert "每邊至少 8 像素" in refusal.sentence.said(Words("zh-TW"))


@pytest.mark.parametrize(("tag", "title"), [("en-US", "This did not work"), ("zh-TW", "無法完成")])
def test_a_toast_is_headed_in_the_language_of_who_reads_it(tag, title):
    @says_refusals
    def refuse(request):
        raise Refusal("image.lost")

    request = gr.Request(headers={"accept-language": tag}, query_params={})
    with pytest.raises(gr.Error) as shown:
        refuse(request)
    assert shown.value.title == title


def test_every_example_has_words():
    for name in example_images():
        assert Words("en")(f"example.{name}")


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ({}, "", "en"),
        ({}, "en-US,en;q=0.9", "en"),
        ({}, "zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"),
        ({}, "de-DE,zh-TW;q=0.5", "en"),  # as the browser's own side decides: the first counts
        ({"lang": "zh-TW"}, "en-US", "zh-TW"),
        ({"lang": "en"}, "zh-TW", "en"),
        ({"lang": "<script>"}, "en-US", "en"),
    ],
)
def test_language_of(query, header, expected):
    assert language_of(query, header) == expected
