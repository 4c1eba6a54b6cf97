"""Reading labelled utterances: every fault with its line, every limit below, at and above."""

from __future__ import annotations

import pytest

from edge.chat.intents import examples as module
from edge.chat.intents.examples import (
    EXAMPLES_PER_INTENT_MIN,
    INTENTS_MAX,
    TEXT_CHARS_MAX,
    BadExamples,
    Example,
    check_examples,
    read_examples,
)

ENOUGH = [f"{word} {number}" for word in ("open", "park") for number in range(EXAMPLES_PER_INTENT_MIN)]


def table(*more: str, header: str = "text,intent") -> bytes:
    rows = [f"{text},{'hours' if text.startswith('open') else 'parking'}" for text in ENOUGH]
    return "\n".join([header, *rows, *more]).encode()


def refusal(data: bytes) -> str:
    with pytest.raises(BadExamples) as caught:
        read_examples(data)
    return caught.value.detail


def test_reads_a_table_in_its_order() -> None:
    found = read_examples(table())
    assert found[0] == Example("open 0", "hours")
    assert [example.text for example in found] == ENOUGH


@pytest.mark.parametrize("header", ["text,category", "Utterance,Label", '"text","intent"'])
def test_known_names_of_columns(header: str) -> None:
    assert len(read_examples(table(header=header))) == len(ENOUGH)


def test_other_delimiters_a_byte_order_mark_and_more_columns() -> None:
    rows = ["intent;note;text", *(f"{text.split()[0]};x;{text}" for text in ENOUGH)]
    found = read_examples("\ufeff".encode() + "\r\n".join(rows).encode())
    assert {example.intent for example in found} == {"open", "park"}


def test_quotes_commas_and_lines_inside_a_text() -> None:
    found = read_examples(table('"Open, or\nnot?",hours', "park 9,parking"))
    assert Example("Open, or\nnot?", "hours") in found


def test_repeated_examples_count_once() -> None:
    assert len(read_examples(table("OPEN   0,hours"))) == len(ENOUGH)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Line 1 does not name"),
        (b"text,intent\n", "no examples"),
        (table(header="question,answer"), "Line 1 does not name"),
        (table(",hours"), "line 14 has no text"),
        (table("hello,"), "line 14 has no intent"),
        (table("hello,there,hours"), "Line 14 has 3 columns, the first line has 2"),
        (table("hello,two words"), "line 14 names an intent with other signs"),
        (table('"hello,hours'), "row that begins on line 14"),
        (table("Open  3,parking"), "line 14 gives the text of line 5 another intent (parking, hours)"),
        (table("hello,new"), "Too few different examples of new (1)"),
        (table("h\xe4llo,hours").replace("ä".encode(), b"\xe4"), "Line 14 is not UTF-8"),
    ],
)
def test_faults_are_named_with_their_line(data: bytes, says: str) -> None:
    assert says in refusal(data)


def test_line_numbers_count_lines_inside_quotes() -> None:
    assert "line 16 has no text" in refusal(table('"open\n9",hours', ",hours"))


def test_only_the_first_faults_are_named() -> None:
    assert refusal(table(*[",hours"] * 9)).endswith("and 4 more.")


def test_a_refusal_holds_no_text() -> None:
    assert "secret" not in refusal(table("secret words,", "secret words,a b"))


@pytest.mark.parametrize(("length", "fits"), [(TEXT_CHARS_MAX, True), (TEXT_CHARS_MAX + 1, False)])
def test_longest_text(length: int, fits: bool) -> None:
    data = table(f"{'x' * length},hours")
    if fits:
        assert len(read_examples(data)) == len(ENOUGH) + 1
    else:
        assert "1,001 characters" in refusal(data)


@pytest.mark.parametrize(("bytes_max", "fits"), [(len(table()), True), (len(table()) - 1, False)])
def test_largest_file(monkeypatch: pytest.MonkeyPatch, bytes_max: int, fits: bool) -> None:
    monkeypatch.setattr(module, "FILE_BYTES_MAX", bytes_max)
    assert bool(read_examples(table())) if fits else "bytes" in refusal(table())


@pytest.mark.parametrize("intents", [1, INTENTS_MAX + 1])
def test_too_few_and_too_many_intents(intents: int) -> None:
    with pytest.raises(BadExamples, match="intents"):
        check_examples(of_intents(intents))


@pytest.mark.parametrize("intents", [2, INTENTS_MAX])
def test_fewest_and_most_intents(intents: int) -> None:
    check_examples(of_intents(intents))


@pytest.mark.parametrize(("most", "fits"), [(12, True), (11, False)])
def test_most_examples(monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    monkeypatch.setattr(module, "EXAMPLES_MAX", most)
    if fits:
        check_examples(of_intents(2))
    else:
        with pytest.raises(BadExamples, match="12 examples"):
            check_examples(of_intents(2))


def of_intents(count: int) -> list[Example]:
    return [Example(f"{i} {n}", f"i{i}") for i in range(count) for n in range(EXAMPLES_PER_INTENT_MIN)]
