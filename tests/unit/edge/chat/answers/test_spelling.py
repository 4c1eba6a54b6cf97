"""Slips are mended with words that the documents or the language know; everything else stays."""

from __future__ import annotations

import pytest

from edge.chat.answers.spelling import WORDS_MENDED_MAX, Speller
from edge.knowledge.document import Audience


class Documents:
    """The words of two documents, one of them for staff."""

    def __init__(self) -> None:
        self.chunks = {
            1: (Audience.PUBLIC, {"appointment", "physiotherapy", "overdraft", "opening"}),
            2: (Audience.STAFF, {"defibrillator"}),
        }
        self.removed = 3
        self.revision = 0

    def chunk_ids(self) -> list[int]:
        return [*self.chunks, self.removed]

    def words(self, chunk_id: int) -> tuple[Audience, set[str]]:
        return self.chunks[chunk_id]


SPELLER = Speller(["when", "what", "hours", "holiday", "the", "book", "your"], Documents())
SPELLER.refresh()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("book an apointment", "book an appointment"),
        ("oepning hours", "opening hours"),
        ("phisioterapy", "physiotherapy"),
        ("waht hours", "what hours"),
        ("Ovedraft?", "overdraft?"),
    ],
)
def test_a_slip_is_mended(typed: str, meant: str) -> None:
    assert SPELLER.mend(typed, Audience.PUBLIC) == meant


@pytest.mark.parametrize(
    "typed",
    ["Kowalczyk", "xyz", "hte", "12345", "", "book your holiday", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"],
)
def test_what_resembles_nothing_stays(typed: str) -> None:
    assert SPELLER.mend(typed, Audience.PUBLIC) == typed


def test_words_of_staff_are_no_help_to_the_public() -> None:
    assert SPELLER.mend("defibrilator", Audience.PUBLIC) == "defibrilator"
    assert SPELLER.mend("defibrilator", Audience.STAFF) == "defibrillator"


def test_a_new_document_brings_new_words() -> None:
    documents = Documents()
    speller = Speller([], documents)
    speller.refresh()
    assert speller.mend("fisiology", Audience.PUBLIC) == "fisiology"
    documents.chunks[4] = (Audience.PUBLIC, {"fisiologie"})
    documents.revision += 1
    speller.refresh()
    assert speller.mend("fisiology", Audience.PUBLIC) == "fisiologie"


def test_nothing_is_mended_while_it_is_not_known_what_is_right() -> None:
    documents = Documents()
    speller = Speller(["opening"], documents)
    assert speller.mend("oepning", Audience.PUBLIC) == "oepning"
    speller.refresh()
    assert speller.mend("oepning", Audience.PUBLIC) == "opening"
    documents.revision += 1
    assert speller.mend("oepning", Audience.PUBLIC) == "oepning"


def test_too_many_unknown_words_are_another_language() -> None:
    slips = [f"openin{letter}" for letter in "hijklmn"]
    at_limit = " ".join(slips[:WORDS_MENDED_MAX])
    above = " ".join(slips[: WORDS_MENDED_MAX + 1])
    assert SPELLER.mend(at_limit, Audience.PUBLIC) == " ".join(["opening"] * WORDS_MENDED_MAX)
    assert SPELLER.mend(above, Audience.PUBLIC) == above
