"""What the kernel holds Postern's users to, and what it counted of them: the file that root's meter writes.

`firmware_scripts/units/postern-egress.nft` has the rules, `meter.py` beside this writes the file. Nobody but root can
write it, so that it stands for the kernel's word; nothing is tried out on the network, which would itself be a way out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

COUNTED: Final = Path("/run/postern/egress.json")
EVERY_S: Final = 10.0
"""How often the meter writes: six times in each minute that is compared with the ledger."""
STALE_S: Final = 45.0
"""A file of before has been left by a meter that is gone: four of its turns, and what a busy machine takes."""
BYTES_MAX: Final = 65_536
"""Of the file; it has some 3 kB."""
TCP_WORDS: Final = range(5, 16)
"""How long a TCP header can be, in words of 4 bytes: a counter for each."""
IPV4_BYTES, IPV6_BYTES, UDP_BYTES = 20, 40, 8
"""Of a header without options. Those of IP count as content: whoever sends them chooses what stands in them."""

Count = tuple[int, int]
"""Packets and bytes, as the kernel counted them on their way to a network card: IP headers and all above."""
User = Literal["node", "worker", "courier"]


@dataclass(frozen=True)
class Counted:
    """One look at the kernel. `at_s`: seconds since the machine's start, which no change of the clock moves."""

    at_s: float
    time_ms: int
    users: Mapping[str, int]
    """Numbers of the users that the rules in force name, by what they are to Postern."""
    others: Literal["count", "refuse"]
    counters: Mapping[str, Count]

    def total(self, prefix: str) -> Count:
        """All counters whose name begins so."""
        found = [count for name, count in self.counters.items() if name.startswith(prefix)]
        return sum(packets for packets, _ in found), sum(size for _, size in found)

    def courier_headers(self) -> int:
        """Bytes of the headers of what the courier sent: no allowance, each packet is counted by their length."""
        packets, over_ipv6, names = (
            self.total(one)[0] for one in ("courier_sent", "courier_ipv6", "courier_dns")
        )
        tcp = sum(4 * words * self.counters[f"courier_tcp{words}"][0] for words in TCP_WORDS)
        ip = IPV4_BYTES * (packets - over_ipv6) + IPV6_BYTES * over_ipv6
        return ip + tcp + names * (IPV4_BYTES + UDP_BYTES)


def since_start_s() -> float:
    """Seconds since the machine's start, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def written(counted: Counted) -> bytes:
    """As the meter's file."""
    return json.dumps(asdict(counted)).encode() + b"\n"


def read(path: Path = COUNTED) -> Counted | None:
    """The newest look; None where there is none, it is old, or somebody else than root could have written it."""
    try:
        with path.open("rb") as file:
            owned = os.fstat(file.fileno())
            if owned.st_uid != 0 or owned.st_mode & 0o022:
                return None
            said = json.loads(file.read(BYTES_MAX))
        counters = {name: (int(packets), int(size)) for name, (packets, size) in said["counters"].items()}
        counted = Counted(said["at_s"], said["time_ms"], said["users"], said["others"], counters)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return counted if 0 <= since_start_s() - counted.at_s <= STALE_S else None


def confined(user: User, path: Path = COUNTED, uid: int | None = None) -> bool:
    """Whether the kernel's rules hold for this process (or the account `uid`) as Postern's `user`."""
    counted = read(path)
    mine = os.getuid() if uid is None else uid
    return counted is not None and counted.users.get(user) == mine and len({*counted.users.values()}) == 3
