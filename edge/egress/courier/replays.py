"""Which envelopes were taken on already: the same sealed text twice is a copy of somebody's."""

from __future__ import annotations

from collections.abc import Iterable

from edge.egress.ledger.log import RECENT_ENVELOPES_MAX


class Replays:
    """The newest RECENT_ENVELOPES_MAX identifiers; those of before a restart come from the ledger.

    A copy of an older one is sent again, to the same control plane, and shows in the ledger as sent twice.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known`: in hexadecimal as in the ledger, oldest first."""
        self._known = dict.fromkeys(known)

    def seen(self, identifier: bytes) -> bool:
        """Whether it came before; from now on it did."""
        name = identifier.hex()
        if name in self._known:
            return True
        self._known[name] = None
        if len(self._known) > RECENT_ENVELOPES_MAX:
            del self._known[next(iter(self._known))]
        return False
