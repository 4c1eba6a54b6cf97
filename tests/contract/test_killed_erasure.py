"""A process that is killed while it erases somebody: the next start finds nothing done, or finishes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.edge.privacy.erasure_rig import PATIENT, genuine, known, open_site

# The beginning is written down, keys and list, rows, late keys, keys beside backups, logs, receipt, the end is written
# down.
BEFORE, POINT_OF_NO_RETURN, ALL = 1, 2, 8


@pytest.mark.proves("erasure")
@pytest.mark.parametrize(
    "steps",
    [
        BEFORE,
        POINT_OF_NO_RETURN,
        *(pytest.param(n, marks=pytest.mark.long) for n in range(POINT_OF_NO_RETURN + 1, ALL)),
    ],
)
async def test_a_kill_leaves_nothing_half_done(tmp_path: Path, steps: int) -> None:
    child = [sys.executable, "-m", "tests.contract.erasing_process", str(tmp_path), str(steps)]
    killed = subprocess.run(child, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    async with open_site(tmp_path) as site:
        unfinished = await site.erasure.finish()
        keys, rows = await site.keys(), await site.counts()
        if steps == BEFORE:
            assert (unfinished, PATIENT in keys, all(rows.values())) == (0, True, True)
            assert PATIENT in known(tmp_path, tmp_path / "vault.age")
            return
        assert (unfinished, keys, any(rows.values())) == (int(steps < ALL - 1), [], False)
        assert known(tmp_path, tmp_path / "vault.age") == set()
        (erased,) = await site.erasure.erasures()
        assert erased.receipt is not None
        assert genuine(site, erased.receipt)["found"]
