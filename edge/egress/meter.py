"""Root's meter (`postern-meter.service`): every ten seconds it asks the kernel which rules are in force and what they
counted, and writes that where all may read it and only root can write. It has no other task and opens no connection.

What stands in the file is read off the rules themselves: where somebody has flushed them there is no file any more.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from pathlib import Path
from typing import Any, Final, cast

from core.files import write_atomic
from edge.egress.confinement import COUNTED, EVERY_S, Counted, User, since_start_s, written

log = logging.getLogger(__name__)

NFT: Final = ("nft", "-j", "-n", "list", "table", "inet", "postern")
NFT_S_MAX: Final = 5.0
REMEDY: Final = (
    "Load them: systemctl reload-or-restart postern-egress. If it lasts: journalctl -u postern-egress."
)
_USERS: Final[tuple[User, ...]] = ("node", "worker", "courier")


def look() -> Counted | None:
    """The rules in force and their counters; None where they are not loaded, or not whole."""
    try:
        asked = subprocess.run(NFT, capture_output=True, timeout=NFT_S_MAX, check=True)
        return parsed(json.loads(asked.stdout)["nftables"], since_start_s(), time.time_ns() // 1_000_000)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def parsed(listing: list[dict[str, Any]], at_s: float, time_ms: int) -> Counted | None:
    """What nft listed; None unless all three users are sent to their chains from where packets leave."""
    rules = [one["rule"] for one in listing if "rule" in one and one["rule"]["chain"] in ("out", "others")]
    hooked = any(one["chain"].get("hook") == "output" for one in listing if "chain" in one)
    users: dict[str, int] = {}
    others = "count"
    for rule in rules:
        match rule["expr"]:
            case [
                {"match": {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": int(uid)}},
                {"goto": to},
            ]:
                users[to["target"]] = uid
            case [{"jump": {"target": "refuse"}}]:
                others = "refuse"
    counters = {
        one["counter"]["name"]: (one["counter"]["packets"], one["counter"]["bytes"])
        for one in listing
        if "counter" in one
    }
    if not hooked or set(users) != set(_USERS):
        return None
    return Counted(at_s, time_ms, users, cast(Any, others), counters)


def turn(path: Path, were: bool) -> bool:
    """Look once and write it down; returns whether the rules are in force. `were`: at the last look."""
    counted = look()
    if counted is None:
        path.unlink(missing_ok=True)
        if were:
            log.error("the rules of the way out are not in force", extra={"remedy": REMEDY})
        return False
    write_atomic(path, written(counted), 0o644)
    return True


def main() -> None:
    """Until it is ended by a signal."""
    from core.logs import log_to_stderr

    log_to_stderr("meter")
    in_force = True
    while True:
        in_force = turn(COUNTED, in_force)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
