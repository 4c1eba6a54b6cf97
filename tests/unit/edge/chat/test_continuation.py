"""A continuation token: what is sealed comes out, at a node of the site, in its time; nothing else does."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from edge.chat import continuation
from edge.chat.continuation import (
    PLAIN_BYTES_MAX,
    TOKEN_CHARS_MAX,
    TURNS_MAX,
    Continuation,
    ContinuationRefused,
    Turn,
    opened,
    seal,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SITE = "clinic"
NOW_MS = 1_700_000_000_000


def turn(number: int, answer: str = "On Saturday from 9 to 13.") -> Turn:
    body = {"question": "When are you open?", "answer": answer, "citations": []}
    return Turn(f"turn-{number}", NOW_MS + number, "answer", "public", ["PHONE"], body)


TOLD = Continuation(
    conversation="abcdefgh01234567",
    moves=0,
    subject="session:abcdefgh01234567",
    channel="kiosk",
    locale="en",
    audience="public",
    notice_version="v1",
    consented_ms=NOW_MS - 5,
    expires_ms=NOW_MS + 1000,
    label="personal",
    spent={"overflow": 120},
    topic="When is the pharmacy open?",
    offered=("Which one? ü",),
    turns=(turn(1), turn(2)),
)


def test_what_is_sealed_comes_out() -> None:
    assert opened(KEY, SITE, seal(KEY, SITE, TOLD), NOW_MS) == TOLD


def test_two_tokens_of_the_same_have_nothing_in_common_that_is_seen() -> None:
    one, other = seal(KEY, SITE, TOLD), seal(KEY, SITE, TOLD)
    assert one[:20] != other[:20]
    assert b"pharmacy" not in base64.urlsafe_b64decode(one[3:] + "==")


@pytest.mark.parametrize(("key", "site"), [(OTHER_KEY, SITE), (KEY, "bank")], ids=["key", "site"])
def test_another_key_and_another_site_open_nothing(key: bytes, site: str) -> None:
    with pytest.raises(ContinuationRefused):
        opened(key, site, seal(KEY, SITE, TOLD), NOW_MS)


@pytest.mark.parametrize(("after_ms", "held"), [(999, True), (1000, False), (1001, False)])
def test_it_lives_as_long_as_its_conversation(after_ms: int, held: bool) -> None:
    token = seal(KEY, SITE, TOLD)
    if held:
        assert opened(KEY, SITE, token, NOW_MS + after_ms) == TOLD
    else:
        with pytest.raises(ContinuationRefused):
            opened(KEY, SITE, token, NOW_MS + after_ms)


def test_every_bit_counts() -> None:
    token = seal(KEY, SITE, replace(TOLD, turns=()))
    sealed = bytearray(base64.urlsafe_b64decode(token[3:] + "=" * (-len(token[3:]) % 4)))
    for place in range(len(sealed)):
        sealed[place] ^= 1
        text = base64.urlsafe_b64encode(bytes(sealed)).decode().rstrip("=")
        with pytest.raises(ContinuationRefused):
            opened(KEY, SITE, f"v1.{text}", NOW_MS)
        sealed[place] ^= 1


@pytest.mark.parametrize(
    "text", ["", "v1.", "v1.AAAA", "v2.AAAA", "no token at all", "v1.ü", "v1." + "A" * 100, "x" * 70_000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ContinuationRefused):
        opened(KEY, SITE, text, NOW_MS)


def test_what_is_longer_than_any_token_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    token = seal(KEY, SITE, TOLD)
    monkeypatch.setattr(continuation, "TOKEN_CHARS_MAX", len(token))
    assert opened(KEY, SITE, token, NOW_MS) == TOLD
    monkeypatch.setattr(continuation, "TOKEN_CHARS_MAX", len(token) - 1)
    with pytest.raises(ContinuationRefused):
        opened(KEY, SITE, token, NOW_MS)


def test_a_sealed_text_of_another_shape_is_refused() -> None:
    """One that a later release made: sealed rightly, and not to be read."""
    wrong = replace(TOLD, conversation="../etc")
    with pytest.raises(ContinuationRefused):
        opened(KEY, SITE, seal(KEY, SITE, wrong), NOW_MS)


@pytest.mark.parametrize("count", [TURNS_MAX - 1, TURNS_MAX, TURNS_MAX + 1])
def test_the_newest_turns_go_along(count: int) -> None:
    turns = tuple(turn(number) for number in range(count))
    found = opened(KEY, SITE, seal(KEY, SITE, replace(TOLD, turns=turns)), NOW_MS)
    assert found.turns == turns[-TURNS_MAX:]


@pytest.mark.parametrize("chars", [5_000, 20_000, PLAIN_BYTES_MAX])
def test_a_token_fits_a_request_whatever_was_said(chars: int) -> None:
    turns = tuple(turn(number, "ü" * chars) for number in range(TURNS_MAX))
    token = seal(KEY, SITE, replace(TOLD, turns=turns))
    assert len(token) <= TOKEN_CHARS_MAX
    kept = opened(KEY, SITE, token, NOW_MS).turns
    assert kept == (turns[-len(kept) :] if kept else ())
