"""A visitor's receipt: what of a conversation left the building, what a server of the site was told, and the proof.

Of rows that stand on the disk before the first byte goes (`text_uses`, `lan_uses`), so that it names too much rather
than too little: an envelope that the courier could not send is on it all the same. The ledger says how each ended, and
proves it. No text, and no salt: with one, whoever finds the paper could try guesses at what was said. Names of the
site's machines are none of a visitor's business: a server of the site is told by its role.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Final, Protocol

from sqlite_utils import Database

from edge.egress.exits import CLAIM
from edge.egress.ledger.excerpt import Excerpt, Proven
from edge.egress.ledger.notes import Checkpoint, Note
from edge.egress.proofs.client import Unproven
from edge.privacy import receipts
from edge.store import lan_uses, text_uses
from edge.store.store import Store

DESTINATION: Final = "control-plane"
"""The only one that a text leaves for."""
ABSENT: Final = "absent"
"""Outcome of what the ledger does not name: the courier never recorded it, so it sent nothing of it."""
OPEN: Final = "open"
"""Outcome of what was announced and has not ended."""

Json = dict[str, Any]


class Prover(Protocol):
    """Whoever has the ledger."""

    async def proofs(self, envelopes: Iterable[str], since_ms: int) -> Excerpt:
        """See `edge.egress.proofs.client.ProofClient`. Raises Unproven."""


class Receipts:
    """Makes them. `clock`: seconds since the epoch."""

    def __init__(self, store: Store, prover: Prover, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._prover = prover
        self._clock = clock

    async def of(self, session: str) -> Json:
        """The conversation's; nothing left of one of which nothing is known."""
        told = await self._store.read(partial(rows, session=session))
        at_ms = round(self._clock() * 1000)
        named = [one for one in told["left"] if one["envelope"]]
        since_ms = min((one["at_ms"] for one in named), default=at_ms)
        try:
            found = await self._prover.proofs([one["envelope"] for one in named], since_ms)
            told = proven(told, found)
        except Unproven as unproven:
            told = {**told, "proof": None, "proof_missing": unproven.code}
        # The site's word is for all of it, also for what is not there.
        body = {"session_id": session, "at_ms": at_ms, **told}
        return receipts.signed(receipts.Kind.VISITOR, body, self._store.keys.receipts)


def proven(told: Json, found: Excerpt) -> Json:
    """`told`, of `rows`, with what the ledger has of it."""
    records = records_of(found)
    left = [
        {**one, "record": records.get(one["envelope"], _NO_RECORD) if one["envelope"] else None}
        for one in told["left"]
    ]
    return {**told, "left": left, "proof": _proof(found), "proof_missing": ""}


def rows(db: Database, session: str) -> Json:
    """What the store says, for `Store.read`."""
    left = text_uses.left(db, session)
    return {
        "left_bytes": sum(one.bytes for one in left),
        "left": [{**asdict(one), "destination": DESTINATION, "record": None} for one in left],
        "site_network": [
            {"at_ms": one.at_ms, "service": one.service, "bytes": one.bytes, "outcome": one.outcome}
            for one in lan_uses.of_session(db, session)
        ],
        "claim": CLAIM,
    }


WORST_FIRST: Final = ("written", "unknown", "failed", OPEN, "not_sent")
"""Of what several replicas were asked for, the outcome is the one after which the most may have left."""
_NO_RECORD: Final = {"outcome": ABSENT, "addresses": [], "policy": "", "verdict": "", "leaves": []}


def records_of(found: Excerpt) -> dict[str, Json]:
    """By envelope, what its leaves come to. One that a replica failed to take is announced again, to the next."""
    leaves: defaultdict[str, list[tuple[Mapping[str, Any], Proven]]] = defaultdict(list)
    for one in found.leaves:
        said = json.loads(one.entry)
        leaves[said["envelope"]].append((said, one))
    return {envelope: _record(its) for envelope, its in leaves.items()}


def _record(leaves: list[tuple[Mapping[str, Any], Proven]]) -> Json:
    intent: Mapping[str, Any] = {}
    attempts: list[tuple[str, str]] = []  # destination, outcome
    for said, _ in leaves:
        if said["type"] == "intent":
            intent = said
            attempts.append((said["destination"], OPEN))
        else:
            attempts[-1:] = [(intent.get("destination", ""), said["outcome"])]
    return {
        "outcome": min((outcome for _, outcome in attempts), key=WORST_FIRST.index),
        "addresses": list(dict.fromkeys(to for to, outcome in attempts if outcome != "not_sent")),
        "policy": intent.get("policy", ""),
        "verdict": intent.get("verdict", ""),
        "leaves": [
            {"index": one.index, "entry": one.entry.decode(), "proof": [node.hex() for node in one.proof]}
            for _, one in leaves
        ],
    }


def _proof(found: Excerpt) -> Json:
    note = Note.parse(found.checkpoint)
    return {
        "log_key": found.log_key,
        "checkpoint": found.checkpoint.decode(),
        "entries": Checkpoint.parse(note.text).size,
    }
