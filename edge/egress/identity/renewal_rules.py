"""When the site's certificate is renewed. Pure.

At half its life, as SPIRE does (spiffe/spire, rotationutil), each node at a moment of its own: a fleet enrolled in one
afternoon does not come back in one. Nothing is asked for while nobody can be reached: months offline leave no trace.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

SPREAD: Final = 0.1
"""Of the certificate's life: nodes of one day are renewed over more than a month, of a year's certificate."""

RETRY_S: Final = 60.0
"""After the first failure, doubling: a control plane that restarts is back by then."""

RETRY_S_MAX: Final = 3600.0

RETRY_S_MIN: Final = 0.5
"""Whatever a certificate says of its life."""

RETRIES_PER_LIFE: Final = 20
"""At least so many fit between two certificates, however short they are."""


class Reach(Enum):
    """What the last attempt at a link has shown."""

    UNKNOWN = "unknown"
    """Nobody was there, or the last link has ended."""
    UP = "up"
    REFUSED = "refused"
    """The control plane is there, and TLS does not take the certificate: it has expired, by one clock or the other."""


def due_unix_s(issued_unix_s: float, expires_unix_s: float, chance: float) -> float:
    """When to renew; `chance` is uniform in [0, 1), one for the life of a certificate."""
    life = expires_unix_s - issued_unix_s
    return issued_unix_s + life * (0.5 + SPREAD * chance)


def pause_s(failures: int, life_s: float, chance: float) -> float:
    """How long to wait after so many failures in a row (at least one)."""
    longest = min(RETRY_S * 2.0 ** min(failures - 1, 32), RETRY_S_MAX, life_s / RETRIES_PER_LIFE)
    return max(longest * (0.5 + chance / 2), RETRY_S_MIN)
