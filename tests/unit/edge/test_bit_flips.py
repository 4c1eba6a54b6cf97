"""A bit that turned in any file that the site keeps is noticed; `python -m tests.bench.bit_flips` tries thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bit_flips import NOTHING_PERSONAL, make, noticed, problems, sample, stored

POSITIONS = 60


@pytest.mark.proves("integrity")
async def test_every_bit_is_noticed(tmp_path: Path) -> None:
    for site in await make(tmp_path):
        assert problems(site) == []
        missed = [flip for flip in sample(site, POSITIONS, seed=1) if not noticed(site, flip)]
        assert not missed
        assert problems(site) == [], "each is turned back"


@pytest.mark.proves("integrity")
async def test_what_is_kept_about_people_is_among_the_files_that_are_tried(tmp_path: Path) -> None:
    killed, stopped = await make(tmp_path)
    databases = {"store/site.db", "store/keys.db", "store/site.head", "store/keys.head", "keys/site.key"}
    assert databases | {"store/site.db-wal", "store/keys.db-wal"} <= set(stored(killed))
    assert databases <= set(stored(stopped))
    assert not {"store/site.db", "store/keys.db"} & set(NOTHING_PERSONAL)
