"""How often the site's golden questions are asked while an update is watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.updates import probing
from edge.updates.probing import CONFIRMED_BY, EVERY_S, NEW_S, QUESTIONS_MIN, RARELY_S, Probe

LOOK_S = 1.0


class Asked:
    """A probe by a clock of its own, whose questions are found while `found`."""

    def __init__(self, questions: Path) -> None:
        self.now_s = 1_000.0
        self.found = True
        self.samples = 0
        self.probe = Probe(questions, self._search, lambda: self.now_s)

    def _search(self, text: str, k: int) -> list[str]:
        self.samples += text == "question 0"
        return ["a.pdf"] if self.found else ["b.pdf"]

    def looks(self, count: int, every_s: float = LOOK_S) -> list[tuple[float | None, int]]:
        """(share, samples so far) at each of the next looks."""
        seen = []
        for _ in range(count):
            self.now_s += every_s
            seen.append((self.probe(), self.samples))
        return seen


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    class Question:
        def __init__(self, number: int) -> None:
            self.question, self.document = f"question {number}", "a.pdf"

    monkeypatch.setattr(probing.golden, "read", lambda _: [Question(i) for i in range(QUESTIONS_MIN)])
    (tmp_path / "questions.toml").write_bytes(b"")
    return Asked(tmp_path / "questions.toml")


def test_what_is_wrong_is_seen_anew_at_each_look(asked: Asked) -> None:
    """Three looks in a row undo an update: they must not be one and the same sample."""
    assert asked.probe.begin() == 1.0
    asked.found = False
    seen = asked.looks(int(EVERY_S) - 1 + CONFIRMED_BY)
    assert [share for share, _ in seen] == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert [samples for _, samples in seen] == [1, 1, 2, 3, 4]


def test_one_bad_sample_is_over_at_the_next_look(asked: Asked) -> None:
    asked.probe.begin()
    asked.found = False
    asked.looks(int(EVERY_S))
    asked.found = True
    assert [share for share, _ in asked.looks(1)] == [1.0]


def test_once_confirmed_and_later_it_is_asked_less_often(asked: Asked) -> None:
    asked.probe.begin()
    asked.looks(30)
    assert asked.samples == 1 + 30 // int(EVERY_S)
    asked.looks(1, NEW_S)
    before = asked.samples
    asked.looks(600)
    assert asked.samples == before + 600 // int(RARELY_S)


def test_a_change_is_asked_for_anew_at_once(asked: Asked) -> None:
    asked.probe.begin()
    asked.found = False
    assert asked.probe.begin() == 0.0
