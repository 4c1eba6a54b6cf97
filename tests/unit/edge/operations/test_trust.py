"""Roots that somebody brings by hand: shown, taken only if they are roots, never by halves."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from edge.operations.arguments import BadArguments
from edge.operations.trust import ROOT_CHARACTERS_MAX, TrustOperations
from edge.updates.tuf_client import InvalidRoot
from tests.tuf_repository import TufRepository


def quiet(_: object) -> None:
    """Nobody watches."""


@pytest.fixture
def roots() -> tuple[bytes, bytes]:
    return TufRepository().newest["root"], TufRepository().newest["root"]


async def test_roots_are_set_and_shown(tmp_path: Path, roots: tuple[bytes, bytes]) -> None:
    table = TrustOperations(tmp_path).table()
    assert await table["trust.show"]({}, quiet) == {"vendor": None, "director": None}
    shown = await table["trust.set"]({"vendor": roots[0].decode()}, quiet)
    assert isinstance(shown, dict)
    assert shown["vendor"]["sha256"] == sha256(roots[0]).hexdigest()
    assert shown["director"] is None
    await table["trust.set"]({"vendor": roots[0].decode(), "director": roots[1].decode()}, quiet)
    shown = await table["trust.show"]({}, quiet)
    assert isinstance(shown, dict)
    assert shown["director"]["sha256"] == sha256(roots[1]).hexdigest()


async def test_what_is_no_root_changes_nothing(tmp_path: Path, roots: tuple[bytes, bytes]) -> None:
    table = TrustOperations(tmp_path).table()
    await table["trust.set"]({"vendor": roots[0].decode()}, quiet)
    before = await table["trust.show"]({}, quiet)
    for vendor, director in (("{}", None), ("{}", roots[1].decode()), (roots[1].decode(), "{}")):
        with pytest.raises(InvalidRoot):
            await table["trust.set"]({"vendor": vendor, "director": director}, quiet)
    for bad in ({}, {"vendor": ""}, {"vendor": "x" * (ROOT_CHARACTERS_MAX + 1)}):
        with pytest.raises(BadArguments):
            await table["trust.set"](bad, quiet)
    assert await table["trust.show"]({}, quiet) == before
