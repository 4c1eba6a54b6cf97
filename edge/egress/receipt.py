"""A visitor's receipt: what of a conversation left the building, and what a server of the site was told. No text.

Of rows that stand on the disk before the first byte goes (`text_uses`, `lan_uses`), so that it names too much rather
than too little: an envelope that the courier could not send is on it all the same. The ledger says how each ended.
Names of the site's machines are none of a visitor's business: a server is told by its role.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlite_utils import Database

from edge.egress.exits import CLAIM
from edge.store import lan_uses, text_uses

DESTINATION = "control-plane"
"""The only one that a text leaves for."""


def receipt(db: Database, session: str, at_ms: int) -> dict[str, Any]:
    """As JSON, for `Store.read`; empty lists where nothing is known of the conversation: nothing leaves of such."""
    left = text_uses.left(db, session)
    return {
        "session_id": session,
        "at_ms": at_ms,
        "left_bytes": sum(one.bytes for one in left),
        "left": [{**asdict(one), "destination": DESTINATION} for one in left],
        "site_network": [
            {"at_ms": one.at_ms, "service": one.service, "bytes": one.bytes, "outcome": one.outcome}
            for one in lan_uses.of_session(db, session)
        ],
        "claim": CLAIM,
    }
