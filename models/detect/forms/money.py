"""Forms of cards, accounts and bank codes. Pure: tables."""

from __future__ import annotations

from models.detect.forms.checks import card, stdnum
from models.detect.forms.form import Form, countries, loose, solid, words

_CARD_GROUPS = ("0000~0000~0000~0000", "0000~000000~00000", "0000~000000~0000", "0000~0000~0000~0000~000")
_CARD_LENGTHS = range(12, 20)
# Of random digits one in ten passes Luhn, and half of all first digits are a brand's.
_CARD_PASSES = 0.05

FORMS = (
    Form("CREDIT_CARD", _CARD_GROUPS, 0.6, words("card"), _CARD_PASSES, card),
    Form(
        "CREDIT_CARD",
        (*solid("0", _CARD_LENGTHS), *loose("0", _CARD_LENGTHS)),
        0.08,
        words("card"),
        _CARD_PASSES,
        card,
    ),
    # A number that a typing error spoiled, or one whose brand is not in the register, beside its word.
    Form("CREDIT_CARD", (*_CARD_GROUPS, *loose("0", range(12, 20))), 0.004, words("card")),
    Form(
        "ROUTING_NUMBER",
        ("000000000", "0000~0000~0"),
        0.003,
        words("routing"),
        0.03,
        stdnum("us.rtn"),
        countries("US"),
    ),
    Form("ROUTING_NUMBER", solid("0", (9, 8)), 0.001, words("routing")),
    Form(
        "ROUTING_NUMBER",
        ("00-00-00", "00 00 00", "000-000", "00000-000"),
        0.003,
        words("routing"),
        home=countries("GB IE AU"),
    ),
    # The last digits of one, right behind its word.
    Form("BANK_ACCOUNT", ("0000", "00000"), 0.0006, words("bank")),
    Form("BANK_ACCOUNT", solid("0", range(6, 21)), 0.002, words("bank")),
    Form("BANK_ACCOUNT", loose("0", range(7, 21)), 0.0011, words("bank")),
    Form(
        "BANK_ACCOUNT",
        ("0000-0000-00-0000000000", "0000 0000 00 0000000000"),
        0.2,
        words("bank"),
        0.01,
        stdnum("es.ccc"),
    ),
)
