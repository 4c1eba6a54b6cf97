"""Codes that are drawn lie apart."""

from __future__ import annotations

import pytest

from edge.privacy.pseudonyms import codebook
from edge.privacy.pseudonyms.codebook import Codebook


@pytest.mark.parametrize("near", ["k7q2m4fx", "k7q2m4fz", "7kq2m4fx", "7q2m4fxb"])
def test_no_wrong_character_makes_a_code_another(near: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["k7q2m4fx", near, "zz29gg45"])
    monkeypatch.setattr(codebook, "draw_code", drawn.__next__)
    book = Codebook()
    codes = []
    for value in ("a@x.org", "b@x.org"):
        token = book.mint("EMAIL", value)
        book.add(token)
        codes.append(token.code)
    assert codes == ["k7q2m4fx", "zz29gg45"]
