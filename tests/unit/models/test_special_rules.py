"""What words say about somebody: said of a person it counts, asked in general it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detect.special_rules import LANGUAGES, Category, Language, Lexicon, lexicon
from models.words import pieces


def found(text: str) -> set[Category]:
    return set(lexicon().categories(pieces(text)))


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("my son has epilepsy", Category.HEALTH),
        ("I was diagnosed with HIV", Category.HEALTH),
        ("my wife, who is seven months pregnant", Category.HEALTH),
        ("I take lithium", Category.HEALTH),
        ("she is on methadone", Category.HEALTH),
        ("my appointment at the fertility clinic", Category.HEALTH),
        ("the diabetes of my husband", Category.HEALTH),
        ("my daughter with asthma", Category.HEALTH),
        ("as a Muslim I need a female doctor", Category.RELIGION),
        ("we keep the sabbath", Category.RELIGION),
        ("i am in the union", Category.UNION),
        ("my brother is gay", Category.SEXUALITY),
        ("I voted for them", Category.POLITICS),
        ("we are roma", Category.ORIGIN),
        ("my genetic test came back", Category.GENETIC),
        ("they took my fingerprints", Category.BIOMETRIC),
        ("he was convicted last year", Category.CRIMINAL),
        ("weil ich Diabetes habe", Category.HEALTH),
        ("bei mir wurde Brustkrebs festgestellt", Category.HEALTH),
        ("ich bin in der Gewerkschaft", Category.UNION),
        ("je suis séropositif", Category.HEALTH),
        ("en tant que musulmane", Category.RELIGION),
        ("tengo epilepsia", Category.HEALTH),
        ("soy testigo de Jehová", Category.RELIGION),
        ("mio marito ha il Parkinson", Category.HEALTH),
        ("ik ben lid van de vakbond", Category.UNION),
        ("choruję na cukrzycę", Category.HEALTH),
        ("jestem gejem", Category.SEXUALITY),
        ("a minha mulher está grávida", Category.HEALTH),
    ],
)
def test_said_of_somebody(text: str, category: Category) -> None:
    assert found(text) == {category}
    assert found(text.upper()) == {category}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "where is the cardiology ward",
        "do you treat diabetes",
        "what is HIV",
        "is there a prayer room",
        "how do i join the union",
        "can I have a hepatitis test",
        "if he has epilepsy",
        "I have a question about diabetes",
        "my husband works at the rehab clinic",
        "I have two accounts. Epilepsy is what the poster is about.",
        "my dog has epilepsy",
        "change from Mrs to Ms",
        "i want to add money to my account",
        "behandeln Sie Diabetes?",
        "y a-t-il une salle de prière",
        "cómo me afilio al sindicato",
        "gdzie jest oddział kardiologii",
    ],
)
def test_asked_in_general(text: str) -> None:
    assert found(text) == set()


def test_all_that_a_text_says() -> None:
    assert found("I am a Muslim. My wife is pregnant.") == {Category.RELIGION, Category.HEALTH}


@pytest.mark.parametrize(("between", "holds"), [(0, True), (3, True), (4, True), (5, False)])
def test_how_far_a_word_may_stand_from_whose_it_is(between: int, holds: bool) -> None:
    assert bool(found("i have " + "really " * between + "epilepsy")) is holds


def test_a_language_counts_that_has_as_many_words_as_any_but_one() -> None:
    def language(code: str, known: str) -> Language:
        nothing = {category: {} for category in Category}
        said = {"people": {"speaker": "io"}, "verbs": {"i_have": "ho"}, "known": known}
        return Language(code, {**nothing, **said, Category.HEALTH: {"has": "asma"}})

    def holds(others: str) -> bool:
        both = Lexicon(
            [
                language("it", ""),
                Language("xx", {**{c: {} for c in Category}, "people": {}, "verbs": {}, "known": others}),
            ]
        )
        return bool(both.categories(pieces("ho asma qua oggi dopo")))

    assert holds("qua oggi")
    assert holds("qua oggi dopo")
    assert not holds("ho qua oggi dopo")


def test_every_language_has_words_of_every_category() -> None:
    assert sorted(LANGUAGES) == sorted({"en", "de", "fr", "es", "it", "nl", "pl", "pt"})
    evidence = lexicon().evidence(pieces("the der le el il de i o"))
    assert set(evidence) == set(LANGUAGES)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert found(text) <= set(Category)
