"""Which language a text is in: the set's languages are found, and what is short, mixed or misspelt is not judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge import languages

PARKING = {
    "en": "Where can I park the car?",
    "de": "Wo kann ich parken?",
    "fr": "Où puis-je garer ma voiture ?",
    "es": "¿Dónde puedo aparcar?",
    "it": "Dove posso parcheggiare?",
    "nl": "Waar kan ik parkeren?",
    "pt": "Onde posso estacionar o carro?",
    "pl": "Gdzie mogę zaparkować?",
    "tr": "Burada arabamı nereye park edebilirim?",
    "ar": "أين يمكنني ركن سيارتي؟",
    "ru": "Где можно припарковаться?",
    "uk": "Де я можу припаркувати її?",
    "zh": "我可以在哪里停车？",
    "ja": "どこに駐車できますか？",
    "ro": "Unde pot să parchez mașina mea?",
    "hu": "Hol lehet itt parkolni?",
    "cs": "Kde mohu zaparkovat?",
    "sv": "Var kan jag parkera bilen?",
    "da": "Hvor kan jeg parkere bilen?",
    "fi": "Mihin voin pysäköidä auton?",
    "el": "Πού μπορώ να παρκάρω;",
    "vi": "Tôi có thể đỗ xe ở đâu?",
}


@pytest.mark.parametrize("code", sorted(languages.tongues()))
def test_a_plain_question_is_of_its_language(code: str) -> None:
    assert languages.detect(PARKING[code]) == code
    assert languages.of_document(PARKING[code] * 5) == code


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "hola",
        "visa",
        "OPD timing?",
        "Maria Gonzalez",
        "Dr van der Berg",
        "de la Cruz, Maria",
        "wher is teh parkng",
        "appointmnt cancle pls",
        "is my kard blockd",
        "bonjour, where is the x-ray?",
        "MRI scan Preis",
        "What does Krankenschwester mean in English?",
        "How do I change GBP to AUD?",
        "",
        "12345 67",
        "?!",
    ],
)
def test_what_is_short_mixed_or_misspelt_is_not_judged(text: str) -> None:
    assert languages.detect(text) in {None, "en"}


@given(st.text(max_size=200))
def test_any_text_is_of_a_language_of_the_set_or_of_none(text: str) -> None:
    assert languages.detect(text) in {None, *languages.tongues()}
    assert languages.of_document(text) in languages.tongues()
