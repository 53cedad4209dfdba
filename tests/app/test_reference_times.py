import pytest
from stand_in import LATENCY, make_run

from app.figures.reference_ratios import reference_ratios_figure
from app.language import Words
from app.results.ratio_words import GROUPS, OTHER, placed
from app.results.reference_times import reference_html, reference_ratios
from app.services.runs import PREFERRED, SHIPPED, RunShelf
from mtl_core.runs.run_directory import Run


def test_times_and_ratios_are_shown_with_where_they_were_taken():
    html = reference_html(LATENCY, Words("en"))
    assert "40.0" in html
    assert "4 cores, 2 threads, onnxruntime 1.2, networks at 512 px" in html
    assert "<b>" not in html
    ratios = reference_ratios(LATENCY)
    assert ratios.to_dict("records") == [
        dict(section="engines", name="ours / bare backbone", value=0.5, low=0.4, high=0.7)
    ]
    (trace,) = reference_ratios_figure(ratios, Words("en")).data
    assert trace.x.tolist() == [0.5]
    assert trace.error_x.array[0] == pytest.approx(0.2)
    assert trace.error_x.arrayminus[0] == pytest.approx(0.1)


@pytest.mark.parametrize("words", [Words("en"), Words("zh-TW")], ids=["en", "zh"])
def test_shipped_ratios_are_all_described_and_stand_under_their_groups(words):
    ratios = reference_ratios(Run(SHIPPED / PREFERRED).latency())
    groups = {placed(name, words)[1] for name in ratios.name}
    assert groups == set(GROUPS) - {OTHER}
    figure = reference_ratios_figure(ratios, words)
    texts = [(a.y, a.text) for a in figure.layout.annotations if a.xref == "paper"]
    headings = [text for _, text in texts if text.startswith("<b>")]
    assert headings == [f"<b>{words(f'ratio.{group}')}</b>" for group in GROUPS[:-1]]
    assert len(texts) == len(ratios) + len(headings)
    assert [y for y, _ in texts] == list(range(len(texts)))  # nothing is written over another
    at = dict(zip(figure.data[0].y, figure.data[0].x, strict=True))
    batch = next(y for y, text in texts if words("ratio.around_batch", n=16) in text)
    measured = ratios.set_index("name").value
    assert at[batch] == pytest.approx(measured["batch 16 / batch 1"])
    hints = [a.text for a in figure.layout.annotations if a.xref != "paper"]
    assert hints == [words("ratio.faster"), words("ratio.slower")]


def test_times_of_another_run_are_said_to_be_its():
    assert "Of &lt;a&gt;, whose" in reference_html(LATENCY, Words("en"), "<a>")
    assert "whose network" not in reference_html(LATENCY, Words("en"))


def test_a_run_without_times_shows_those_of_one_of_the_same_size(tmp_path):
    larger, alike, timed = (make_run(tmp_path, name) for name in ("larger", "alike", "timed"))
    for run in (larger, alike):
        (run.path / "latency.json").unlink()
    larger.manifest["parameters"]["head"] += 1
    # Of the same network less may rest.
    alike.manifest["parameters"] |= {"backbone_frozen": 1, "backbone_trainable": 2}
    shelf = RunShelf([larger, alike, timed])
    assert shelf.measured_alike(timed) is timed
    assert shelf.measured_alike(alike) is timed
    assert shelf.measured_alike(larger) is None


def test_without_a_benchmark_the_page_says_how_to_make_one():
    assert "training.benchmark" in reference_html(None, Words("en"))
    assert reference_ratios(None).empty


@pytest.mark.parametrize(
    "latency",
    [
        {"machine": "old", "p50_ms": 44.1},
        {"engines": {"ratios": [1], "times": {"a": 3}}},
        {"engines": {"ratios": {"a / b": {"value": "no"}, "c / d": {"value": -1}}}},
    ],
)
def test_a_file_of_another_kind_shows_what_it_has(latency):
    assert reference_ratios(latency).empty
    assert "?" in reference_html(latency, Words("en"))
