"""`postern run` whose courier is behind the machine's clock, by as many seconds as the file BEHIND of the site says.

python -m tests.clocked_node run SITE
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from unittest import mock

from tests.patched_node import main

MODULE: Final = "tests.clocked_node"
BEHIND: Final = "clock-behind"


def set_behind(site: Path, seconds: float) -> None:
    """From now on, and for what starts later."""
    new = site / f"{BEHIND}.new"
    new.write_text(str(seconds))
    new.rename(site / BEHIND)


def unix_s(site: Path) -> float:
    """What the courier's clock says."""
    return time.time() - float((site / BEHIND).read_text())


@contextmanager
def _clocked(site: Path) -> Iterator[None]:
    from edge.egress.courier import courier

    with mock.patch.object(courier, "serve", partial(courier.serve, clock=partial(unix_s, site))):
        yield


if __name__ == "__main__":
    main(MODULE, "courier", _clocked)
