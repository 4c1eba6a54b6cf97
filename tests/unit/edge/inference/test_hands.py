"""Calls that can be given up."""

from __future__ import annotations

import threading

import pytest

from edge.inference.hands import Hands

PATIENCE_S = 30.0
SHORT_S = 0.01


def test_a_call_gives_what_it_returns_or_raises() -> None:
    hands = Hands("test")
    assert hands.call(lambda: 7, PATIENCE_S) == 7
    with pytest.raises(ZeroDivisionError):
        hands.call(lambda: 1 // 0, PATIENCE_S)
    hands.close()


def test_one_caller_needs_one_thread() -> None:
    hands = Hands("test")
    threads = {hands.call(threading.get_ident, PATIENCE_S) for _ in range(20)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    hands.close()


def test_a_stuck_call_is_given_up_and_counted_until_it_returns() -> None:
    hands, go, ended = Hands("test"), threading.Event(), threading.Event()

    def hang() -> None:
        go.wait(PATIENCE_S)
        ended.set()

    with pytest.raises(TimeoutError):
        hands.call(hang, SHORT_S)
    assert hands.stuck == 1
    assert hands.call(lambda: "others go on", PATIENCE_S) == "others go on"
    go.set()
    assert ended.wait(PATIENCE_S)
    while hands.stuck:
        hands.call(lambda: None, PATIENCE_S)
    hands.close()


def test_a_closed_one_ends_its_threads() -> None:
    hands = Hands("test-closing")
    hands.call(lambda: None, PATIENCE_S)
    thread = next(each for each in threading.enumerate() if each.name == "test-closing")
    hands.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
