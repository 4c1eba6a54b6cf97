"""A change of several key files: what is left of one that came to nothing."""

from __future__ import annotations

from pathlib import Path

from edge.config import site_paths
from edge.keys import SiteKeys


def test_a_change_that_came_to_nothing_leaves_no_key_behind(tmp_path: Path) -> None:
    paths = site_paths(tmp_path)
    SiteKeys.create(paths)
    staging = paths.keys / "next.tmp"
    staging.mkdir()
    (staging / "root.key").write_bytes(b"r" * 32)
    SiteKeys.open(paths)
    assert not staging.exists()
    staging.mkdir()
    (staging / "root.key").write_bytes(b"r" * 32)
    with (staging / "root.key").open("rb") as held:  # as a look at the disk's free blocks would
        SiteKeys.open(paths)
        assert held.read() == bytes(32)
