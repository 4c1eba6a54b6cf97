"""A text counts as in a language only when no stretch of it may be in another."""

from __future__ import annotations

import pytest

from edge.egress.text.masking_check import without
from edge.egress.text.one_language import RUN_UNTOLD_MAX, WORDS_UNTOLD_MAX, one_language
from edge.knowledge.languages import detect
from models.detect.spans import Span


@pytest.mark.parametrize(
    "text",
    [
        "When is the office open on Saturday?",
        "My name is João da Silva Pereira, and I would like to book an appointment at the Charité in Berlin.",
        "I live at ul. Marszałkowska 12/4, 00-590 Warszawa. What do I need for the permit?",
        "Hello! Could you please call Mr Nguyễn Văn An back? Thank you.",
        "Can you tell me how much 20 µg of it costs, and whether the 1ª dose is free?",
        "Je voudrais savoir quand le bureau est ouvert. Merci beaucoup pour votre réponse.",
        "Когда вы открыты в субботу? Меня интересует Windows.",
    ],
)
def test_ordinary_messages_are_in_one(text: str) -> None:
    assert one_language([text], detect) in {"en", "fr", "ru"}


@pytest.mark.parametrize(
    "text",
    [
        "What are your opening hours on Monday please? Nevem Kovács János, Budapest.",
        "What are your opening hours on Monday please? nevem kovács jános budapest",
        "Please tell me when the clinic opens, я живу на улице Ленина 5, thank you very much.",
        "Please tell me when the clinic opens, Иван.",
        "Please tell me when the clinic opens, mi chiamo Giovanni Bianchi e abito in via Roma.",
        "Please tell me when the clinic opens nevem Kovács János lakom Budapesten",
        "Please tell me when the clinic opens。我叫王小明，住在北京。",
        "Когда вы открыты в субботу? Please call me Peter Miller from Baker Street London.",
        "Когда вы открыты в субботу? שלום",
        "Hi",
    ],
)
def test_a_mix_is_in_none(text: str) -> None:
    assert one_language([text], detect) is None


def test_all_texts_count() -> None:
    asked = "When is the office open on Saturday?"
    assert one_language([asked, asked], detect) == "en"
    assert one_language([asked, "Wann haben Sie am Samstag geöffnet?"], detect) is None
    assert one_language([asked, ""], detect) == "en"
    assert one_language([], detect) is None


@pytest.mark.parametrize(("words", "told"), [(WORDS_UNTOLD_MAX, "en"), (WORDS_UNTOLD_MAX + 1, None)])
def test_how_many_words_may_stand_alone_without_a_language(words: int, told: str | None) -> None:
    text = "When is the office open? " + " ".join(["Zrbmk"] * words) + "."
    assert one_language([text], lambda piece: "en" if "office" in piece else None) == told


@pytest.mark.parametrize(("words", "told"), [(RUN_UNTOLD_MAX, "en"), (RUN_UNTOLD_MAX + 1, None)])
def test_how_many_words_in_a_row_may_say_nothing(words: int, told: str | None) -> None:
    text = "When is the office of " + " ".join(["Zrbmk"] * words) + " in it?"
    assert one_language([text], lambda piece: "en" if "office" in piece else None) == told


def test_what_was_found_makes_no_mix() -> None:
    address = "Kossuth Lajos utca tizenkettő negyedik emelet Budapest"
    text = f"I have moved to {address} and need a new card."
    at = text.index(address)
    assert one_language([text], detect) is None
    assert one_language([without(text, [Span("ADDRESS", at, at + len(address), 0.9)])], detect) == "en"
