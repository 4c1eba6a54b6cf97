"""`postern run` whose courier is behind the machine's clock, by as many seconds as the file BEHIND of the site says.

python -m tests.clocked_node run SITE
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Final
from unittest import mock

from edge import processes

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


def main(process: str, site: Path) -> None:
    """Run one of a node's processes; `run` starts the others by this module as well."""
    if process == "run":
        with mock.patch.object(processes, "_command", _command):
            processes.run_all(site)
    elif process == "courier":
        from edge.egress import courier

        with mock.patch.object(courier, "serve", partial(courier.serve, clock=partial(unix_s, site))):
            processes.run_courier(site)
    else:
        processes.PROCESSES[process](site)


def _command(process: str, site: Path) -> list[str]:
    return [sys.executable, "-m", MODULE, process, str(site)]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
