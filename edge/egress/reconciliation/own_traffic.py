"""What the courier sends that no envelope is: counted as it happens, for the comparison with the kernel's counters.

State of the module, as the kernel counts all that this process sends, whoever sends it: one courier is one process. A
counter that is handed on would go through a dozen constructors and functions on the way to those who open connections,
and a second one, made by mistake, would leave bytes that nothing explains.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

RECORD_BYTES: Final = 29
"""Around the content of a record of TLS: header 5, nonce 8, tag 16 (TLS 1.2 with AES-GCM; 22 in TLS 1.3)."""
RECORD_CONTENT_BYTES: Final = 16_384
"""The most that a record holds."""


@dataclass(frozen=True)
class Own:
    """Counts, before or between two moments."""

    attempts: int = 0
    """To reach somebody: names looked up, a plain connection, a proxy asked for a tunnel."""
    connections: int = 0
    """Handshakes of TLS that were begun, with a proxy too."""
    frames: int = 0
    """Messages of the courier's own on connections: greetings, heartbeats, checkpoints, orders to fetch."""
    frame_bytes: int = 0
    """What these came to; and the records of TLS to the site's proxy, around all that goes to the control plane."""
    received_bytes: int = 0
    """What came over the courier's own connections: it is acknowledged, and windows are opened again."""

    def __add__(self, other: Own) -> Own:
        return Own(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Own)))

    def __sub__(self, other: Own) -> Own:
        return Own(*(getattr(self, one.name) - getattr(other, one.name) for one in fields(Own)))


_so_far = Own()


def attempted() -> None:
    """Before somebody is reached out to."""
    _count(Own(attempts=1))


def connecting() -> None:
    """Before a handshake of TLS."""
    _count(Own(connections=1))


def framed(size: int) -> None:
    """Before a message of so many bytes."""
    _count(Own(frames=1, frame_bytes=size))


def wrapped(size: int) -> None:
    """Before so many bytes go into records of TLS to a proxy."""
    _count(Own(frame_bytes=RECORD_BYTES * -(-size // RECORD_CONTENT_BYTES)))


def received(size: int) -> None:
    """A message of so many bytes came."""
    _count(Own(received_bytes=size))


def so_far() -> Own:
    """Since the process began."""
    return _so_far


def _count(more: Own) -> None:
    global _so_far
    _so_far += more
