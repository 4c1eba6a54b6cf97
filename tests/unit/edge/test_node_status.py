"""What a node says of itself at its start."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.config import SitePaths
from edge.egress.reconciliation import confinement
from edge.egress.reconciliation.confinement import Counted, since_start_s
from edge.node_status import accounts_shared, way_out

ME = os.getuid()


class Owned:
    """A path with an owner; None: nothing is there."""

    def __init__(self, owner: int | None) -> None:
        self.owner = owner

    def exists(self) -> bool:
        return self.owner is not None

    def stat(self) -> Any:
        return SimpleNamespace(st_uid=self.owner)


@pytest.mark.parametrize(
    ("courier", "store", "shared"),
    [
        (ME + 1, ME, False),
        (ME, ME, True),
        (None, ME, True),
        (ME + 1, ME + 1, True),
        (ME + 2, ME + 1, True),
    ],
    ids=["apart", "one account", "no courier", "root, of one account", "root, of two accounts"],
)
def test_accounts_are_apart_where_the_courier_has_its_own_and_the_node_the_store(
    courier: int | None, store: int, shared: bool
) -> None:
    paths = cast(SitePaths, SimpleNamespace(courier=Owned(courier), store=Owned(store)))
    assert accounts_shared(paths) is shared


@pytest.mark.parametrize(
    ("users", "reason"),
    [
        ({"node": ME, "worker": ME + 2, "courier": ME + 1}, ""),
        ({"node": ME, "worker": ME + 2, "courier": ME + 3}, "unconfined"),
        ({"node": ME + 3, "worker": ME + 2, "courier": ME + 1}, "unconfined"),
        (None, "unconfined"),
    ],
    ids=["confined", "another courier", "another node", "no rules"],
)
def test_a_node_that_the_kernel_does_not_hold_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: dict[str, int] | None, reason: str
) -> None:
    counted = users and Counted(since_start_s(), 0, users, "count", {})
    monkeypatch.setattr(confinement, "read", lambda _: counted)
    # The unit hides the courier's folder: what the node sees there is root's.
    hidden = Owned(ME + 9)
    paths = SimpleNamespace(courier=hidden, store=Owned(ME), courier_socket=Owned(ME + 1))
    assert way_out(cast(SitePaths, paths)) == reason


def test_a_site_that_one_user_made_is_not_apart(tmp_path: Path) -> None:
    (tmp_path / "courier").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store/site.db").touch()
    assert accounts_shared(SitePaths(tmp_path))
