"""Root's meter (`postern-meter.service`): every ten seconds it asks the kernel which rules are in force and what they
counted, and writes that where all may read it and only root can write. It has no other task and opens no connection.

What stands in the file is read off the rules themselves: where somebody has flushed or changed one there is no file any
more.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from core.files import write_atomic
from edge.egress.reconciliation.confinement import COUNTED, EVERY_S, Counted, User, since_start_s, written

log = logging.getLogger(__name__)

NFT: Final = ("nft", "-j", "-n", "list", "table", "inet", "postern")
NFT_S_MAX: Final = 5.0
LOADED: Final = Path("/run/postern-egress/loaded.json")
"""What `postern-egress.sh` listed as soon as it had loaded the rules."""
SAY_S: Final = 3_600.0
"""Between two lines of the journal that say what was counted."""
CHANGING: Final = frozenset({"packets", "bytes", "handle", "metainfo", "expires", "used", "last"})
FILLED: Final = frozenset({"dynamic", "timeout"})
"""Flags of a site's own sets whose elements come by rules, or go by themselves."""
AGAIN_S: Final = 1.0
"""Rules that are just being loaded are in force before the list of them is written; it takes less."""
REMEDY: Final = (
    "Load them: systemctl reload-or-restart postern-egress, and where the node does not run: "
    "systemctl start postern-node. If it lasts: journalctl -u postern-egress."
)
_USERS: Final[tuple[User, ...]] = ("node", "worker", "courier")


def look(loaded: Path = LOADED) -> Counted | None:
    """The rules in force and their counters; None where they are not loaded, or not those that were loaded."""
    try:
        asked = subprocess.run(NFT, capture_output=True, timeout=NFT_S_MAX, check=True)
        listing = json.loads(asked.stdout)["nftables"]
        if _rules(listing) != _rules(json.loads(loaded.read_bytes())["nftables"]):
            return None
        return parsed(listing, since_start_s(), time.time_ns() // 1_000_000)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def _rules(part: Any) -> Any:
    """What nft listed without what changes by itself: counts, numbers of rules, nft's own version, elements that rules
    add or that run out, orders of sets."""
    if isinstance(part, list):
        return [_rules(one) for one in part]
    if not isinstance(part, dict):
        return part
    flags = part.get("flags", ())  # some versions of nft list one alone as a text
    filled = FILLED & {flags} if isinstance(flags, str) else FILLED & set(flags)
    changing = CHANGING | {"elem"} if filled else CHANGING
    kept = {key: _rules(below) for key, below in part.items() if key not in changing}
    for key in ("elem", "set"):
        if isinstance(kept.get(key), list):
            kept[key].sort(key=json.dumps)
    return kept


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


def say(counted: Counted) -> None:
    """What the courier's user sent since the rules were loaded, into the system's journal: the ledger's leaves repeat
    it, and an auditor who has both need not believe the courier."""
    packets, size = counted.total("courier_sent")
    log.info(
        "counted", extra={"packets": packets, "bytes": size, "names_bytes": counted.total("courier_dns")[1]}
    )


def turn(
    path: Path,
    were: bool,
    loaded: Path = LOADED,
    *,
    aloud: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Look once and write it down; returns whether the rules are in force. `were`: at the last look."""
    counted = look(loaded)
    if counted is None and were:
        pause(AGAIN_S)
        counted = look(loaded)
    if counted is not None and aloud:
        say(counted)
    if counted is None:
        path.unlink(missing_ok=True)
        if were:
            log.error(
                "the rules of the way out are not in force, or not those that were loaded",
                extra={"remedy": REMEDY},
            )
        return False
    write_atomic(path, written(counted), 0o644)
    return True


def main() -> None:
    """Until it is ended by a signal."""
    from core.logs import log_to_stderr

    log_to_stderr("meter")
    in_force, said_s = True, float("-inf")
    while True:
        aloud = since_start_s() - said_s >= SAY_S
        in_force = turn(COUNTED, in_force, aloud=aloud)
        said_s = since_start_s() if aloud else said_s
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
