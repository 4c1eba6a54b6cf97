"""Who is meant by a name that is not whole."""

from __future__ import annotations

import pytest

from edge.privacy.pseudonyms.names import parse, split_possessive
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from tests.unit.edge.privacy.pseudonyms.texts import SCOPE, token_of


def tokens(*names: str) -> list[str]:
    pseudonyms = Pseudonyms(SCOPE)
    return [token_of(pseudonyms, "PERSON", name) for name in names]


@pytest.mark.parametrize(
    ("full", "alias"),
    [
        ("John Smith", "Mr Smith"),
        ("John Smith", "Mr. Smith"),
        ("John Smith", "Dr. Smith"),
        ("John Smith", "Smith"),
        ("John Smith", "John"),
        ("John Smith", "JOHN SMITH"),
        ("John Smith", "john smith"),
        ("John Smith", "smith"),
        ("John Smith", "Smith, John"),
        ("John Smith", "J. Smith"),
        ("John Smith", "J Smith"),
        ("John Smith", "John S."),
        ("John Smith", "J.S."),
        ("John Smith", "J. S."),
        ("John Smith", "JS"),
        ("John Smith", "Mr John Smith"),
        ("Mary O'Brien", "Ms O’Brien"),
        ("John Smith", "John\n Smith"),
        ("李 明華", "李 明華"),
        ("Dr. John Smith", "John Smith"),
        ("John Albert Smith", "John Smith"),
        ("John Albert Smith", "J. A. Smith"),
        ("John Smith Jr.", "John Smith, Jr."),
        ("Anna Müller", "Frau Müller"),
        ("Anna Müller", "FRAU MÜLLER"),
        ("Ludwig van Beethoven", "Herr van Beethoven"),
        ("Ludwig van Beethoven", "Beethoven"),
        ("María García López", "Sra. García"),
        ("Okonkwo Chukwuemeka", "Mr Chukwuemeka"),
        ("Mr Smith", "Smith"),
        ("Smith", "Mr Smith"),
    ],
)
def test_the_person_named_before(full: str, alias: str) -> None:
    first, second = tokens(full, alias)
    assert first == second


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (["John Smith"], "Mrs Smith"),
        (["Anna Müller"], "Herr Müller"),
        (["John Smith"], "John Miller"),
        (["John Smith"], "Mr John"),
        (["John Smith"], "John A. Smith"),
        (["John Smith"], "J."),
        (["John Smith"], "M. Smith"),
        (["John Smith"], "Smithers"),
        (["John Smith"], "Smith Miller"),
        (["J. Smith"], "John Smith"),
        (["Smith"], "John Smith"),
        (["John Smith", "Peter Smith"], "Mr Smith"),
        (["John Smith", "Peter Smith"], "Smith"),
        (["John Smith", "Jane Smith"], "J. Smith"),
        (["John Smith", "John Miller"], "John"),
        (["Elton John", "John Smith"], "John"),
        (["John A. Smith", "John B. Smith"], "John Smith"),
        (["John Smith", "Jane Sutter"], "JS"),
        (["Nora Green"], "NG"),
        (["Mr. Kim Smith"], "Ms Smith"),
        (["Kim Smith", "Mr Smith"], "Mrs Smith"),
        (["Peña"], "Pena"),
        (["Ludwig van Beethoven"], "van"),
        (["李 明華"], "李 明"),
        (["John Smith", "Peter Smith", "Dr. Smith"], "Prof. Smith"),
    ],
)
def test_two_persons_are_never_made_one(before: list[str], name: str) -> None:
    *known, own = tokens(*before, name)
    assert own not in known


def test_a_doubtful_name_keeps_its_own_token() -> None:
    john, peter, doubtful, again, capitals = tokens(
        "John Smith", "Peter Smith", "Mr Smith", "Mr Smith", "MR SMITH"
    )
    assert doubtful not in (john, peter)
    assert doubtful == again == capitals


def test_where_a_title_tells_two_apart_it_is_heard() -> None:
    john, jane, he, she = tokens("John Smith", "Jane Smith", "Mr Smith", "Mrs Smith")
    assert (he, she) == (john, jane)


def test_a_name_that_was_clear_is_doubtful_once_another_came() -> None:
    john, clear, peter, doubtful = tokens("John Smith", "Smith", "Peter Smith", "Smith")
    assert clear == john
    assert doubtful not in (john, peter)


def test_no_name_is_shown_by_accident() -> None:
    pseudonyms = Pseudonyms(SCOPE)
    token_of(pseudonyms, "PERSON", "Anna Smith")
    persons = pseudonyms._persons
    assert "anna" not in f"{parse('Anna Smith')!r} {persons!r} {persons._all!r}".lower()


def test_an_alias_comes_back_as_the_full_name() -> None:
    pseudonyms = Pseudonyms(SCOPE)
    token_of(pseudonyms, "PERSON", "John Smith")
    assert pseudonyms.restore(token_of(pseudonyms, "PERSON", "Mr Smith's")) == "John Smith's"


def test_only_names_of_persons_have_aliases() -> None:
    pseudonyms = Pseudonyms(SCOPE)
    assert token_of(pseudonyms, "ORGANIZATION", "John Smith Ltd") != token_of(
        pseudonyms, "ORGANIZATION", "Smith"
    )


@pytest.mark.parametrize(
    ("value", "split"),
    [
        ("Smith's", ("Smith", "'s")),
        ("Smith’s", ("Smith", "’s")),
        ("SMITH'S", ("SMITH", "'S")),
        ("James'", ("James", "'")),
        ("O'Brien", ("O'Brien", "")),
        ("'s", ("'s", "")),
        ("Smith", ("Smith", "")),
    ],
)
def test_the_genitive(value: str, split: tuple[str, str]) -> None:
    assert split_possessive(value) == split
