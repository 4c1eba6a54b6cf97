"""What a node says of itself at its start."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.config import SitePaths
from edge.node_status import accounts_shared

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


def test_a_site_that_one_user_made_is_not_apart(tmp_path: Path) -> None:
    (tmp_path / "courier").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store/site.db").touch()
    assert accounts_shared(SitePaths(tmp_path))
