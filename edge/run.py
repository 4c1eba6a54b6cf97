"""`postern run`: the three processes of a node under one supervisor. The same three commands are systemd's units."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.supervision import Child, Supervisor, stop_on_signals

PROCESSES = ("node", "worker", "courier")


async def run_site(site: Path) -> None:
    """Until SIGINT or SIGTERM. The first line on standard output is the node's ready event; it is printed once."""
    announced = False

    def on_line(line: str) -> None:
        nonlocal announced
        if not announced and _is_ready(line):
            announced = True
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    children = [Child(name, command(name, site), on_line if name == "node" else None) for name in PROCESSES]
    await Supervisor(children, stop_on_signals()).run()


def command(process: str, site: Path) -> list[str]:
    """The command line of one of the node's processes."""
    return [sys.executable, "-m", "edge.cli", process, "--site", str(site)]


def _is_ready(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and event.get("event") == "ready"
