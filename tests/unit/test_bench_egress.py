"""The bench of the way out sees canaries however they are written, and hears what a connection of HTTP/2 says."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections import Counter
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.bench import egress
from tests.bench.egress_canaries import TURNS, Canary, Class, Planter, Prompt
from tests.bench.egress_examples import SHOWN, examples
from tests.bench.egress_overflow import Asked, Run
from tests.bench.egress_ride import EXITS, Ride
from tests.bench.egress_search import RUN_SIGNS_AMONG_HEX, Search
from tests.bench.egress_tap import DATA_FRAME, HEAD_BYTES, PADDED, PREFACE, Heard

CARD, NAME = "6011 1228 9060 6094", "Kellingthorpe"

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "closer": lambda text: text.replace(" ", "").encode(),
    "capitals": lambda text: text.upper().encode(),
    "with dashes": lambda text: text.replace(" ", "-").encode(),
    "percent-encoded": lambda text: quote(text).encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 behind one": lambda text: base64.b64encode(b"x" + text.encode()),
    "base64 behind two, of URLs": lambda text: base64.urlsafe_b64encode(b"??" + text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "hex behind a digit": lambda text: b"a" + text.encode().hex().upper().encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "zlib": lambda text: zlib.compress(text.encode()),
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(text.encode())),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_canary_is_found_however_it_is_written(form: str) -> None:
    search = Search()
    card, name = search.add(CARD), search.add(NAME)
    written = WRITTEN[form]
    assert search.found([b"before " + written(f"{CARD}, {NAME}") + b" after"]) == {card, name}
    assert search.found([written("6011 1238 9160 6094, Kellingthorne")]) == set()


def test_half_a_number_is_found_and_a_part_of_a_word_is_not() -> None:
    search = Search()
    card, member, _ = search.add(CARD), search.add("QX-123456AB"), search.add(NAME)
    assert search.found([b"6011 1228"]) == {card}
    assert search.found([b"[CREDIT_CARD] 9060 6094"]) == {card}
    assert search.found([b"QX-12345", b"123456AB"]) == {member}
    assert search.found([b"060 6094", b"QX-12345", b"Kellingthor", b"kelling"]) == set()


def test_among_hexadecimal_numbers_a_part_is_longer() -> None:
    search = Search(run_signs=RUN_SIGNS_AMONG_HEX)
    card = search.add(CARD)
    assert search.found([b"6011 1228 9"]) == set()
    assert search.found([b"6011 1228 90"]) == {card}


def test_what_is_too_short_is_not_planted() -> None:
    with pytest.raises(ValueError, match="8"):
        Search().add("Li Na 12")


def _frame(content: bytes, stream: int, kind: int = DATA_FRAME, flags: int = 0) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def _message(content: bytes, *, compressed: bool = False) -> bytes:
    return bytes((compressed,)) + len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_messages_are_put_together_over_frames_and_reads(piece: int) -> None:
    first, packed = _message(b"a name in two frames"), gzip.compress(b"a name that was packed")
    said = PREFACE + _frame(b"path", 1, kind=1) + _frame(first[:12], 1) + _frame(b"ping", 0, kind=6)
    said += _frame(_message(packed, compressed=True), 3)
    said += _frame(b"\x03" + first[12:] + b"\0\0\0", 1, flags=PADDED) + _frame(_message(b"!"), 1)
    heard = Heard()
    for at in range(0, len(said), piece):
        heard.feed(said[at : at + piece])
    *streams, rest = heard.blobs()
    assert streams == [b"a name in two frames!", b"a name that was packed"]
    assert b"path" in rest
    assert b"ping" in rest
    # Neither the frames' heads nor a ping have room for words.
    assert heard.said_bytes == len(said) - len(PREFACE) - 6 * HEAD_BYTES - len(b"ping")


def test_a_frame_that_never_ends_is_shown_as_far_as_it_came() -> None:
    heard = Heard()
    heard.feed((PREFACE + _frame(_message(b"Kellingthorpe"), 1))[:-4])
    assert b"Kellingt" in heard.blobs()[-1]


def test_what_is_no_http2_is_kept_as_it_is() -> None:
    heard = Heard()
    for piece in (b"P", b"OST / HTTP/1.1\r\n", b"\r\nKelling", b"thorpe"):
        heard.feed(piece)
    assert heard.blobs() == [b"POST / HTTP/1.1\r\n\r\nKellingthorpe"]
    assert heard.said_bytes == len(heard.blobs()[0])


def test_a_message_that_is_not_what_it_says_is_shown_as_it_is() -> None:
    heard = Heard()
    heard.feed(PREFACE + _frame(_message(b"Kellingthorpe", compressed=True), 1))
    assert heard.blobs()[0] == b"Kellingthorpe"


def test_no_canary_is_planted_twice_and_every_text_has_one_of_a_machine() -> None:
    planter, search = Planter(1), Search()
    prompts = [said for _ in range(40) for said in planter.talk()]
    planted = [canary for said in prompts for canary in said.canaries]
    assert len(set(planted)) == len(planted)
    assert {canary.kind for canary in planted} == set(Class)
    for said in prompts:
        numbers = {search.add(canary.looked_for) for canary in said.canaries}
        assert numbers <= search.found([said.text.encode()])
        assert said.again is None or said.again.looked_for in said.text
        assert any(canary.kind in (Class.CHECKSUMMED, Class.SITE_PATTERN) for canary in said.canaries)


def test_there_are_names_for_ten_thousand_texts_and_as_many_turns() -> None:
    """One a conversation; of the other texts a third name a street, with as many more as chance adds."""
    prompts = 2 * egress.PROMPTS + egress.PROMPTS // egress.ONE_IN
    streets = prompts * (TURNS - 1) / TURNS / 3
    assert len(list(Planter(1)._words)) > prompts / TURNS + 1.05 * streets


@pytest.fixture
def few_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "UNSAID", 10)


def _run_of(planter: Planter, outcome: str, texts: bool) -> tuple[Run, list[Prompt]]:
    prompts = list(planter.talk())
    return Run([Asked(one, outcome, [""] if texts else None) for one in prompts]), prompts


@pytest.mark.usefixtures("few_by_chance")
def test_a_text_that_was_refused_and_left_all_the_same_counts() -> None:
    run, prompts = _run_of(Planter(1), "policy_personal", texts=False)
    blobs = [one.text.encode() for one in prompts]
    found = egress.of_overflow(run, 0, blobs)
    planted = {canary for one in prompts for canary in one.canaries}
    assert sum(found["deterministic"].values()) == len(planted)
    assert found["deterministic"]["in_refused_texts"] > 0
    assert found["problems"]


@pytest.mark.usefixtures("few_by_chance")
def test_a_name_that_was_refused_first_and_stands_in_what_left_is_one_that_was_missed() -> None:
    run, prompts = _run_of(Planter(1), "answered", texts=True)
    run.asked[0].texts = None
    found = egress.of_overflow(run, len(prompts), [prompts[1].text.encode()])
    assert found["statistical"]["named"]["missed"] == 1
    assert found["deterministic"]["in_refused_texts"] == 0
    assert found["by_chance"]["found"] == 0
    assert not found["problems"]


def test_what_left_is_shown_beside_what_was_asked_with_known_names_first() -> None:
    run, prompts = _run_of(Planter(1), "answered", texts=True)
    name, number = prompts[0].canaries[0], prompts[1].canaries[0]
    assert name.kind is Class.NAMED
    run.asked[1].texts = [prompts[1].text]
    turn = Prompt(9, "at the node", [Canary(Class.FORM, "zinfandel@example.org")], None)
    blobs = [b"nothing", b"Zinfandel@Example.org"]
    shown = examples(run, [turn], [turn.canaries[0], number, name], blobs)
    assert [one["canary"] for one in shown] == [one.looked_for for one in (name, number, *turn.canaries)]
    assert [one["vault_known"] for one in shown] == [True, False, False]
    assert shown[0]["texts"][:2] == [
        {"asked": prompts[0].text, "left": [""]},
        {"asked": prompts[1].text, "left": [prompts[1].text]},
    ]
    assert shown[2]["texts"] == [{"asked": "at the node", "left": None}]
    assert shown[2]["at_the_tap"] == "Zinfandel@Example.org"
    assert "at_the_tap" not in shown[1]


def test_no_more_than_some_examples_are_shown() -> None:
    many = [Canary(Class.FORM, f"somebody{number}") for number in range(2 * SHOWN)]
    assert len(examples(Run(), [], many, [])) == SHOWN


def test_an_exit_at_which_nothing_was_seen_that_is_always_there_says_little() -> None:
    ride = Ride(routes=Counter(answer=10), tickets=["GEVNN3"])
    for exit_ in EXITS:
        ride.took(exit_, " ".join(ride.markers(exit_)))
    assert ride.problems(overflowed=9) == []
    ride.exits["mail"] = [b"Subject: ticket"]
    ride.refused["messages: 503"] = 2
    said = " ".join(ride.problems(overflowed=2))
    assert all(word in said for word in ("At mail GEVNN3", "messages: 503, 2 times", "2 of 10 turns"))
    ride.tickets.clear()
    assert "At webhook a ticket" in " ".join(ride.problems(overflowed=9))


def test_a_part_that_fails_leaves_the_figures_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise TimeoutError

    parts = egress.Parts()
    assert parts.run("ride", broken) is None
    parts.run("bypasses", lambda: {"tried": 2, "crossed": ["dns"], "uncounted": [], "problems": ["Odd."]})
    judged = egress.judged(parts)
    assert judged["bypasses_passed"] == 1
    assert judged["canaries_other_exits"] is None
    assert judged["canaries_deterministic"] is None
    assert judged["parts_failed"] == len(parts.failed) == 2
    assert '"crossed": ["dns"]' in capsys.readouterr().err
