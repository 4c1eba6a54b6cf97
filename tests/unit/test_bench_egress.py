"""The bench of the way out sees canaries however they are written, and hears what a connection of HTTP/2 says."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.bench.egress_canaries import Class, Planter
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
