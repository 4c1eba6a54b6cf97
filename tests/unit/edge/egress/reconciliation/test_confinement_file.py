"""Whose word about the kernel's rules is taken: root's, of now, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.egress.reconciliation import confinement
from edge.egress.reconciliation.confinement import STALE_S, Counted, since_start_s, written

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the file is root's, so root must write it")
NOBODY = 65_534


def said(path: Path, ago_s: float = 0.0) -> Path:
    """As the meter leaves it."""
    users = {"node": 64_001, "worker": 64_002, "courier": 64_003}
    path.write_bytes(written(Counted(since_start_s() - ago_s, 0, users, "refuse", {})))
    path.chmod(0o644)
    return path


def test_roots_word_is_taken(tmp_path: Path) -> None:
    assert confinement.confined("node", said(tmp_path / "egress.json"), 64_001)
    assert not confinement.confined("courier", said(tmp_path / "egress.json"), 64_001)


@pytest.mark.parametrize(
    "forge",
    [
        lambda path: os.chown(path, NOBODY, NOBODY),
        lambda path: path.chmod(0o666),
        lambda path: path.chmod(0o664),
        lambda path: said(path, STALE_S + 1),
        lambda path: said(path, -1),
        lambda path: path.write_bytes(b"{"),
        lambda path: path.unlink(),
    ],
    ids=["another's", "writable", "a group's", "old", "of later", "torn", "gone"],
)
def test_any_other_is_not(tmp_path: Path, forge: Callable[[Path], object]) -> None:
    path = said(tmp_path / "egress.json")
    forge(path)
    assert confinement.read(path) is None
    assert not confinement.confined("node", path, 64_001)
