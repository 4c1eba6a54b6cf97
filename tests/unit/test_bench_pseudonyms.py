"""The oracle of the bench of pseudonyms: content with the product, and not with one that errs."""

from __future__ import annotations

import pytest

from edge.privacy.pseudonyms import codebook
from edge.privacy.pseudonyms.codebook import Codebook
from edge.privacy.pseudonyms.grammar import Candidate
from edge.privacy.pseudonyms.token import Token
from tests.bench.pseudonym_talk import serials
from tests.bench.pseudonyms import CUT_ONE_IN, Bench, talk_all

TURNS = 2 * CUT_ONE_IN


def wrongs(bench: Bench) -> tuple[int, int, int, int]:
    counts = bench.counts
    return counts.wrong_person, counts.cross_session, counts.not_restored, bench.different_cuts


def test_nothing_comes_back_to_the_wrong_place() -> None:
    bench, _ = talk_all(0, TURNS)
    assert wrongs(bench) == (0, 0, 0, 0), bench.counts.first_wrong
    assert bench.turns == TURNS
    assert bench.cut_answers == 2
    counts = bench.counts
    assert min(counts.whole, counts.bent, counts.foreign, counts.imitations, len(bench.added_ms)) > 0


def test_a_book_that_opens_at_another_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(self: Codebook, candidate: Candidate) -> Token | None:
        return next(iter(self._by_code.values()), None)

    monkeypatch.setattr(Codebook, "read", first)
    bench, _ = talk_all(0, 100)
    assert bench.counts.wrong_person > 0


def test_one_book_for_all_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: dict[str, Token] = {}
    add = Codebook.add

    def added(self: Codebook, token: Token) -> None:
        shared[token.code] = token
        add(self, token)

    monkeypatch.setattr(Codebook, "add", added)
    monkeypatch.setattr(Codebook, "read", lambda self, candidate: shared.get(candidate.code))
    bench, _ = talk_all(0, 400)
    assert bench.counts.cross_session > 0


def test_two_persons_under_one_token_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.privacy.pseudonyms.aliases._may_be", lambda alias, person: True)
    bench, _ = talk_all(0, 100)
    assert bench.counts.wrong_person > 0


def test_a_limit_is_an_error_of_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codebook, "TOKENS_MAX", 1)
    with pytest.raises(Exception, match="personal values"):
        talk_all(0, 100)


def test_words_are_used_once() -> None:
    words = serials()
    assert len({next(words) for _ in range(10_000)}) == 10_000
