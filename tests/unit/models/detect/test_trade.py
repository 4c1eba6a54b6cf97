"""A number right behind a word of trade is nobody's; behind a word of somebody's it stays."""

from __future__ import annotations

import pytest

from models.detect.spans import Span
from models.detect.trade import without_trade


@pytest.mark.parametrize(
    ("text", "value", "kind", "kept"),
    [
        ("order 242468930", "242468930", "OTHER_ID", False),
        ("Bestellnummer 242468930", "242468930", "NATIONAL_ID", False),
        ("the invoice number is 4711-22", "4711-22", "BANK_ACCOUNT", False),
        ("serialised part 833-91481", "part 833-91481", "DEVICE_ID", False),
        ("account 242468930", "242468930", "BANK_ACCOUNT", True),
        ("my order, and my account number is 242468930", "242468930", "BANK_ACCOUNT", True),
        ("an order was sent to my sister under 242468930", "242468930", "OTHER_ID", True),
        ("242468930", "242468930", "OTHER_ID", True),
        # What has a form of its own is not a bare number, and a name is no number.
        ("order 4111 1111 1111 1111", "4111 1111 1111 1111", "CREDIT_CARD", True),
        ("order Miller", "Miller", "PERSON", True),
        ("order secret", "secret", "PASSWORD", True),
    ],
)
def test_what_stays(text: str, value: str, kind: str, kept: bool) -> None:
    span = Span(kind, text.index(value), text.index(value) + len(value), 0.9)
    assert without_trade(text, [span]) == ([span] if kept else [])
