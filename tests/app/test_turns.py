import threading
import time

import gradio as gr

from app.services.turns import Turns


def test_a_visitors_requests_are_answered_in_their_order_and_others_meanwhile():
    turns, may_end, reached = Turns(), threading.Event(), threading.Event()
    done: list[str] = []

    @turns.taken
    def answer(what: str, request: gr.Request) -> None:
        if what == "slow":
            reached.set()
            assert may_end.wait(20)
        done.append(what)

    def ask(what: str, visitor: str) -> threading.Thread:
        request = gr.Request(session_hash=visitor)
        thread = threading.Thread(target=answer, args=(what, request), daemon=True)
        thread.start()
        return thread

    slow = ask("slow", "a")
    assert reached.wait(20)
    later = ask("later", "a")
    ask("other", "b").join(20)
    time.sleep(0.05)
    assert done == ["other"]
    may_end.set()
    for thread in (slow, later):
        thread.join(20)
    assert done == ["other", "slow", "later"]


def test_who_asks_again_stands_behind_who_waits():
    turns, done = Turns(), []
    request = gr.Request(session_hash="a")

    @turns.taken
    def answer(what: str, request: gr.Request) -> None:
        if what == "first":
            waiting = threading.Thread(target=answer, args=("waits", request), daemon=True)
            waiting.start()
            while len(turns._lines["a"]) < 2:
                time.sleep(0.001)
            threads.append(waiting)
        done.append(what)

    for _ in range(20):
        threads: list[threading.Thread] = []
        done.clear()
        answer("first", request)
        answer("again", request)
        threads[0].join(20)
        assert done == ["first", "waits", "again"]
    assert not turns._lines  # nothing is kept of who was answered
