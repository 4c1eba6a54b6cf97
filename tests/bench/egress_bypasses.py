"""The ways around the courier, each tried in a network of its own: `python -m tests.bench.egress_bypasses`.

A process apart, for it forks. Each must cross the cable while there are no rules; with them it may neither cross nor go
uncounted. The attempts are those of tests/integration/egress.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field

from tests.integration.egress import attempts
from tests.integration.egress.attempts import ATTEMPTS, Attempt
from tests.integration.egress.cable import OTHER, Cable, may_make_networks

NOT_HERE = "needs root who may make network namespaces, nft and ip"


@dataclass
class Found:
    """`tried`: seen to cross without the rules; the others are in `blind`, and prove nothing."""

    tried: int = 0
    crossed: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    reason: str = ""


def attempt(cable: Cable, one: Attempt, found: Found) -> None:
    """Without the rules, then with them."""
    cable.set_free()
    cable.crossed()
    cable.as_user(one.user, one.work, raw=one.raw)
    if not cable.crossed():
        found.blind.append(one.name)
        return
    found.tried += 1
    cable.confine()
    cable.as_user(one.user, one.work, raw=one.raw)
    if cable.crossed():
        found.crossed.append(one.name)
    counted = cable.counters()
    if not counted[one.counter] or counted["courier_sent"]:
        found.uncounted.append(one.name)


def try_all() -> Found:
    """Every attempt, with a relay of another user at the site."""
    if not may_make_networks():
        return Found(reason=NOT_HERE)
    found, cable = Found(), Cable(f"pb{os.getpid()}")
    try:
        cable.lay()
        heard, said = os.pipe()
        os.environ["RELAY_READY"] = str(said)
        with cable.running(OTHER, attempts.relay):
            os.close(said)
            os.read(heard, 1)
            for one in ATTEMPTS:
                attempt(cable, one, found)
    finally:
        cable.tear_down()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(try_all())))
