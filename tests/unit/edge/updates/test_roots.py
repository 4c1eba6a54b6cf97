"""Which roots a site keeps when it enrols, once and again."""

from __future__ import annotations

from pathlib import Path

from edge.updates.roots import pin_roots
from edge.updates.trust import keep_root, newest_root
from tests.tuf_repository import TufRepository


def root() -> bytes:
    return TufRepository().newest["root"]


def kept(folder: Path) -> tuple[bytes | None, bytes | None]:
    return newest_root(folder, "vendor"), newest_root(folder, "director")


def test_the_first_enrolment_brings_both(tmp_path: Path) -> None:
    vendor, director = root(), root()
    pin_roots(tmp_path / "metadata", "node-one", vendor, director)
    assert kept(tmp_path / "metadata") == (vendor, director)


def test_the_same_enrolment_changes_nothing_later(tmp_path: Path) -> None:
    vendor, director = root(), root()
    pin_roots(tmp_path, "node-one", vendor, director)
    by_hand = root()
    keep_root(tmp_path, "director", by_hand)
    pin_roots(tmp_path, "node-one", root(), root())
    assert kept(tmp_path) == (vendor, by_hand)


def test_another_control_plane_does_not_become_another_organisation(tmp_path: Path) -> None:
    vendor, other = root(), root()
    pin_roots(tmp_path, "node-one", vendor, root())
    pin_roots(tmp_path, "node-two", root(), other)
    assert kept(tmp_path) == (vendor, other)


def test_what_was_brought_by_hand_before_stays(tmp_path: Path) -> None:
    by_hand, director = root(), root()
    keep_root(tmp_path, "vendor", by_hand)
    pin_roots(tmp_path, "node-one", root(), director)
    assert kept(tmp_path) == (by_hand, director)


def test_an_enrolment_without_roots_or_with_none_that_is_one_is_asked_again(tmp_path: Path) -> None:
    vendor, director = root(), root()
    for bad in ((b"", b""), (vendor, b""), (vendor, b"no root")):
        pin_roots(tmp_path, "node-one", *bad)
        assert kept(tmp_path) == (None, None)
    pin_roots(tmp_path, "node-one", vendor, director)
    assert kept(tmp_path) == (vendor, director)
