"""`postern run` with something of one of its processes in another's place: what no setting reaches, for tests alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from unittest import mock

from edge import processes

Patch = Callable[[Path], AbstractContextManager[object]]
# In the environment: the network namespace that the courier is started in, and nothing else of the node.
NETWORK = "POSTERN_TESTS_COURIER_NETWORK"


def main(module: str, patched: str, patch: Patch) -> None:
    """`python -m MODULE PROCESS SITE`: run one of a node's processes, `patched` within `patch`; `run` starts the others
    by MODULE as well."""
    process, site = sys.argv[1], Path(sys.argv[2])
    if process == "run":
        with mock.patch.object(
            processes,
            "_command",
            lambda name, at: [*_inside(name), sys.executable, "-m", module, name, str(at)],
        ):
            processes.run_all(site)
    elif process == patched:
        with patch(site):
            processes.PROCESSES[process](site)
    else:
        processes.PROCESSES[process](site)


def _inside(process: str) -> tuple[str, ...]:
    network = os.environ.get(NETWORK, "")
    return ("ip", "netns", "exec", network) if network and process == "courier" else ()
