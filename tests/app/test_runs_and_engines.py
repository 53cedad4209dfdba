import json
import threading

import numpy as np
import pytest
from stand_in import StandInEngine, make_run

from app.components.sides import left_choices, opening_sides
from app.language import Refusal, Words
from app.results.run_words import run_choices
from app.services.engines import EngineShelf
from app.services.latency import measure_passes, parameter_counts, summary_html
from app.services.runs import RunShelf, open_run, shipped_runs
from app.services.viewed_image import ViewedImage
from app.site import Site
from app.tabs.about import about_texts
from app.tabs.broken_list import broken_rows
from app.tabs.forgetting import forgetting_figures
from app.tabs.latency import latency_figures
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import InputError


def test_the_shelf_keeps_order_and_tells_names_apart(tmp_path):
    shelf = RunShelf([make_run(tmp_path / "a", "keeps"), make_run(tmp_path / "b", "keeps")])
    assert shelf.names == ["keeps", "keeps (2)"]
    assert shelf.name_of(shelf.get("keeps (2)")) == "keeps (2)"
    assert shelf.get(None).path.parent.name == "a"
    assert shelf.stage(None, 2).task == "det"


def test_a_run_opened_again_keeps_its_place(tmp_path):
    run = make_run(tmp_path)
    shelf = RunShelf([run])
    assert shelf.add(open_run(str(run.path))) == "keeps"
    assert shelf.names == ["keeps"]


def test_a_removed_run_leaves_shelf_and_engines_and_no_other_does(tmp_path):
    gone, stays = make_run(tmp_path / "a", "gone"), make_run(tmp_path / "b", "stays")
    shelf, engines = RunShelf([gone, stays]), EngineShelf(StandInEngine)
    kept, lost = engines.engine(stays.stages[0]), engines.engine(gone.stages[0])
    Site(shelf, engines).forget_run(gone.path)
    assert shelf.names == ["stays"]
    assert engines.engine(stays.stages[0]) is kept
    assert engines.engine(gone.stages[0]) is not lost


@pytest.mark.parametrize(("name", "stage"), [("nowhere", 1), ("keeps", 4)])
def test_what_is_not_on_the_shelf_is_told(tmp_path, name, stage):
    with pytest.raises(InputError, match="expected one of"):
        RunShelf([make_run(tmp_path)]).stage(name, stage)


def test_what_is_not_here_is_told_in_the_visitors_language(tmp_path, monkeypatch):
    def gone(*args, **options):
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", gone)
    shelf, engines = RunShelf([make_run(tmp_path)]), EngineShelf(StandInEngine)
    viewed = ViewedImage(np.zeros((40, 40, 3), np.uint8))
    for asking, told in (
        (lambda: RunShelf().get(None), "這裡沒有訓練結果"),
        (lambda: shelf.get("nowhere"), "沒有「nowhere」這個訓練結果，可用的有：keeps"),
        (lambda: shelf.stage("keeps", 4), "沒有階段 4，可用的有：1, 2, 3"),
        (lambda: viewed.stage("keeps", 4, shelf, engines), "沒有階段 4，可用的有：1, 2, 3"),
        (lambda: open_run(str(tmp_path)), "不是訓練結果的目錄"),
        (lambda: open_run("no-owner/no-run"), "也不是可從 Hub 取得的儲存庫（ConnectionError）"),
    ):
        with pytest.raises(Refusal) as refused:
            asking()
        assert told in refused.value.sentence.said(Words("zh-TW"))


@pytest.mark.parametrize(
    "name", ["records.jsonl", "verdicts.json", "regressions.json", "latency.json"]
)
def test_a_damaged_file_keeps_a_run_from_the_shelf(tmp_path, name):
    run = make_run(tmp_path)
    assert open_run(str(run.path)).path == run.path
    (run.path / name).write_text("{ cut\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}.*expected"):
        open_run(str(run.path))


def test_an_empty_shelf_says_what_to_do():
    with pytest.raises(InputError, match="training"):
        RunShelf().get(None)


def test_a_visitors_own_run_is_nobodys_default(tmp_path):
    shelf = RunShelf()
    own = shelf.add(make_run(tmp_path, "own"), "a visitor")
    with pytest.raises(Refusal, match="training"):
        shelf.get(None)
    with pytest.raises(Refusal, match="training"):
        shelf.get("nowhere")
    assert shelf.get(own).name == "own"
    site, words = Site(shelf, EngineShelf(StandInEngine)), Words("en")
    assert opening_sides(site) == (None, "")
    for name, classes in ((None, False), (own, True)):
        assert forgetting_figures(site, name, "kept", None, words)[4]["visible"] is classes
        assert bool(about_texts(site, name, words)[2]) is classes
        assert latency_figures(site, name, None, words)[7]["visible"] is False
        assert broken_rows(site, name, "seg", None, None, None, words)[3]
    shelf.add(make_run(tmp_path, "shipped"))
    assert shelf.get(None).name == "shipped"


def test_the_first_look_is_the_shipped_network_beside_itself_without_anything_against_forgetting():
    shelf = RunShelf(shipped_runs())
    assert opening_sides(Site(shelf, EngineShelf(StandInEngine))) == ("onehead", "onehead-finetune")
    assert shelf.get(None).name == "onehead"


def test_shipped_runs_pass_over_what_is_no_run(tmp_path, capsys):
    make_run(tmp_path, "other")
    make_run(tmp_path, "onehead")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    assert [run.name for run in shipped_runs(tmp_path)] == ["onehead", "other"]
    assert "broken" in capsys.readouterr().out
    assert shipped_runs(tmp_path / "absent") == []


def test_a_place_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="not a run directory"):
        open_run(str(tmp_path))


def test_an_engine_is_opened_once_for_all_threads(tmp_path):
    opened = []

    def opening(path):
        opened.append(path)
        return StandInEngine(path)

    run, shelf = make_run(tmp_path), EngineShelf(opening)
    image = np.zeros((40, 40, 3), np.uint8)
    threads = [threading.Thread(target=lambda: shelf.answers(run, image)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    assert shelf.passes == 12


def test_a_failing_warm_up_does_not_take_the_page_down(tmp_path, capsys):
    def failing(path):
        raise InputError(f"{path.name} is damaged.")

    EngineShelf(failing).warm_up(make_run(tmp_path)).join()
    assert "damaged" in capsys.readouterr().out


def test_measuring_counts_its_own_passes_and_others(tmp_path):
    run, shelf = make_run(tmp_path), EngineShelf(StandInEngine)
    image = np.zeros((40, 40, 3), np.uint8)
    engine = shelf.engine(run.stages[-1])
    steps = measure_passes(engine, shelf, image, 5)
    assert next(steps) == (1, None)
    shelf.timed(engine, image)  # another visitor
    *_, (_, done) = steps
    assert len(done.times) == 5
    assert done.disturbed_by == 1
    assert {"prepare", "network", "decode", "draw", "total"} == set(done.times)
    html = summary_html(done, "the run", "StandIn", "here", Words("en"))
    assert "the run, last stage" in html
    assert "p95" in html
    assert "1 other passes" in html


@pytest.mark.parametrize(("asked", "made"), [(0, 1), (3, 3)])
def test_the_number_of_passes_is_bounded(tmp_path, asked, made):
    run, shelf = make_run(tmp_path), EngineShelf(StandInEngine)
    *_, (_, done) = measure_passes(
        shelf.engine(run.stages[0]), shelf, np.zeros((40, 40, 3), np.uint8), asked
    )
    assert len(done.times) == made


def test_manifests_are_read_tolerantly():
    assert parameter_counts({}).empty
    assert parameter_counts({"parameters": 3}).empty
    assert parameter_counts({"parameters": {"head": 5, "total": 9}}).to_dict() == {"head": 5}


def test_a_bank_answers_all_stages_at_once(tmp_path):
    asked = []

    class Bank:
        def __init__(self, paths):
            self.stages = [StandInEngine(path) for path in paths]

        def predict_all(self, image, score_threshold=0.05):
            asked.append(score_threshold)
            return [stage.predict(image, score_threshold) for stage in self.stages]

    run, image = make_run(tmp_path), np.zeros((40, 40, 3), np.uint8)
    shelf = EngineShelf(StandInEngine, Bank)
    answers, spent_ms = shelf.answers(run, image)
    alone, _ = EngineShelf(StandInEngine).answers(run, image)
    assert spent_ms > 0
    assert asked == [0.05] and shelf.passes == 1
    assert [a.trained for a in answers] == [a.trained for a in alone]
    assert answers[0].prediction.boxes is None and answers[0].total_ms is None
    assert (answers[2].prediction.mask == alone[2].prediction.mask).all()
    shelf.answers(run, image)
    assert shelf.bank(run) is shelf.bank(run)


def test_without_a_bank_every_stage_runs_by_itself(tmp_path):
    run = make_run(tmp_path)
    shelf = EngineShelf(StandInEngine, lambda paths: None)
    answers, spent_ms = shelf.answers(run, np.zeros((40, 40, 3), np.uint8))
    assert shelf.passes == 3 and spent_ms == sum(a.total_ms for a in answers)


def test_what_was_used_longest_ago_is_let_go(tmp_path):
    opened = []

    def opening(path):
        opened.append(path.parent.name)
        return StandInEngine(path)

    runs = [make_run(tmp_path, name) for name in "abc"]
    for stage in (stage for run in runs for stage in run.stages):
        stage.weights.write_bytes(b"0123456789")
    shelf, image = EngineShelf(opening, kept_bytes=60), np.zeros((40, 40, 3), np.uint8)
    for asked in "abacbb":
        shelf.answers(runs["abc".index(asked)], image)
    # b is the one used longest ago when c comes, and a when b comes again.
    assert opened == [name for name in "abcb" for _ in range(3)]


def test_opening_a_run_keeps_nobody_else_waiting(tmp_path):
    reached, may_end = threading.Event(), threading.Event()

    def opening(path):
        if path.parent.name == "slow":
            reached.set()
            assert may_end.wait(20)
        return StandInEngine(path)

    slow, quick = make_run(tmp_path, "slow"), make_run(tmp_path, "quick")
    shelf, image = EngineShelf(opening), np.zeros((40, 40, 3), np.uint8)
    thread = shelf.warm_up(slow)
    assert reached.wait(20)
    answered = threading.Thread(target=lambda: shelf.answers(quick, image), daemon=True)
    answered.start()
    answered.join(20)
    free = not answered.is_alive()
    may_end.set()
    thread.join()
    assert free and len(shelf.answers(slow, image)[0]) == 3


def test_what_could_not_be_opened_is_tried_again(tmp_path):
    attempts = []

    def opening(path):
        attempts.append(path)
        if len(attempts) == 1:
            raise InputError("not yet")
        return StandInEngine(path)

    run, shelf = make_run(tmp_path), EngineShelf(opening)
    with pytest.raises(InputError, match="not yet"):
        shelf.engine(run.stages[0])
    assert shelf.engine(run.stages[0]) is shelf.engine(run.stages[0])


def test_a_run_that_is_being_trained_can_be_watched(tmp_path):
    run = make_run(tmp_path)
    manifest = json.loads((run.path / "run.json").read_text())
    lines = (run.path / "records.jsonl").read_text()
    late = [run.path / f"stage{number}.safetensors" for number in (2, 3)]
    for file in late:
        file.unlink()
    write_sealed(run.path / "run.json", manifest | {"status": "running"})
    (run.path / "records.jsonl").write_text(lines[: lines.index('"stage": 2') + 3])  # in a line
    shelf = RunShelf([open_run(str(run.path))])
    assert [stage.number for stage in shelf.get("keeps").stages] == [1]
    assert set(shelf.get("keeps").records()["stage"]) == {1}
    late[0].touch()
    write_sealed(run.path / "run.json", manifest | {"status": "running", "wall_time_s": 1})
    (run.path / "records.jsonl").write_text(lines)
    assert [stage.number for stage in shelf.get(None).stages] == [1, 2]
    assert shelf.name_of(shelf.get(None)) == "keeps"
    assert {1, 2} <= set(shelf.get("keeps").records()["stage"])
    assert shelf.get(None) is shelf.get("keeps")  # read anew only after it was written


def test_a_run_of_one_visitor_stands_in_nobody_elses_lists(tmp_path):
    shelf = RunShelf([make_run(tmp_path, "keeps")])
    name = shelf.add(make_run(tmp_path, "forgets", "finetune"), "ann")
    site = Site(shelf, EngineShelf(StandInEngine))
    words = Words("en")
    for visitor, known in (("ann", True), ("bob", False), ("", False)):
        runs = [value for _, value in run_choices(shelf, words, visitor)]
        sides = [value for _, value in left_choices(site, words, visitor)]
        assert (name in runs, name in sides, name in shelf.names_for(visitor)) == (known,) * 3
    assert name not in shelf.names and name in shelf
    shelf.remove(shelf.get(name).path)
    assert name not in shelf.names_for("ann")
