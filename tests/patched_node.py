"""`postern run` with something of one of its processes in another's place: what no setting reaches, for tests alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

from edge import processes

Patch = Callable[[Path], AbstractContextManager[object]]


def main(module: str, patched: str, patch: Patch) -> None:
    """`python -m MODULE PROCESS SITE`: run one of a node's processes, `patched` within `patch`; `run` starts the others
    by MODULE as well."""
    process, site = sys.argv[1], Path(sys.argv[2])
    if process == "run":
        with mock.patch.object(
            processes, "_command", lambda name, at: [sys.executable, "-m", module, name, str(at)]
        ):
            processes.run_all(site)
    elif process == patched:
        with patch(site):
            processes.PROCESSES[process](site)
    else:
        processes.PROCESSES[process](site)
