"""Chunking: sections stay apart, sentences stay whole, nothing is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.knowledge.chunking import SENTENCE_WORDS_MAX, chunk, embedding_text
from edge.knowledge.document import Block, Document


def document(*blocks: tuple[tuple[str, ...], str]) -> Document:
    return Document("Title", tuple(Block(headings, text) for headings, text in blocks), "text/markdown")


def test_sections_stay_apart_and_carry_their_path() -> None:
    chunks = chunk(document((("Fees",), "It is free."), (("Fees", "Private"), "It costs 40."), ((), "Bye.")))
    assert [(c.ordinal, c.section, c.text) for c in chunks] == [
        (0, "Fees", "It is free."),
        (1, "Fees › Private", "It costs 40."),
        (2, "", "Bye."),
    ]


def test_list_items_keep_their_lines_and_markers() -> None:
    chunks = chunk(document(((), "Bring:"), ((), "- A card."), ((), "- A list. And a pen.")))
    assert [c.text for c in chunks] == ["Bring:\n- A card.\n- A list. And a pen."]


def test_a_long_section_becomes_chunks_of_even_length_at_sentence_ends() -> None:
    text = " ".join(f"Sentence number {n} has seven words here." for n in range(60))
    chunks = chunk(document(((), text)), words_max=160)
    lengths = [len(c.text.split()) for c in chunks]
    assert len(chunks) == 3
    assert max(lengths) <= 160
    assert min(lengths) >= 120
    assert all(c.text.endswith("here.") for c in chunks)


def test_an_overlong_sentence_is_cut_at_spaces() -> None:
    text = " ".join(f"w{n}" for n in range(SENTENCE_WORDS_MAX * 2 + 5))
    chunks = chunk(document(((), text)))
    assert " ".join(c.text for c in chunks) == text
    assert max(len(c.text.split()) for c in chunks) <= SENTENCE_WORDS_MAX


def test_no_text_no_chunks() -> None:
    assert chunk(document()) == []
    assert chunk(document(((), "  \n "))) == []


def test_the_encoder_reads_where_a_chunk_stands() -> None:
    assert embedding_text("Fees", "Private", "It costs 40.") == "Fees › Private\nIt costs 40."
    assert embedding_text("", "", "x") == "x"


words = st.lists(st.sampled_from(["One", "two.", "Three", "four!", "- five", "6.", "Dr."]), max_size=60)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([(), ("A",), ("A", "B")]), words), max_size=5), st.integers(3, 40))
def test_every_word_is_in_exactly_one_chunk(
    sections: list[tuple[tuple[str, ...], list[str]]], most: int
) -> None:
    blocks = [(headings, " ".join(text)) for headings, text in sections]
    chunks = chunk(document(*blocks), words_max=most)
    together = " ".join(c.text for c in chunks).split()
    assert together == " ".join(text for _, text in blocks).split()
