"""The ledger is shown to the control plane's witness, over the link that is up (ADR 69).

What is sent for it counts as frames of that link, and is in the link's own leaf: a leaf each would be the reason for
the next. What the witness refuses as proven stops what leaves until somebody lets the ledger begin anew.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from core.errors import NotReachable, PosternError
from core.files import write_atomic
from edge.egress.ledger.memory import Memory, recall
from edge.egress.ledger.notes import BadNote, Note, Verifier, cosigned, cosigned_s, log_verifier
from edge.egress.ledger.submission import Submission
from postern.v1 import witness_pb2

log = logging.getLogger(__name__)

ADD_CHECKPOINT: Final = "/postern.v1.WitnessService/AddCheckpoint"
EVERY_S: Final = 60.0
"""So long what was written last is under no other signature than the ledger's own."""
AGAIN_S: Final = 3600
"""A ledger that does not grow is shown so often, to say that it is still the longest."""
WITNESS_REFUSED: Final = "witness_refused"
"""How a link ends that may not be: what the node is told."""
EVIDENCE: Final = frozenset({"rolled_back", "split_view", "inconsistent", "set_aside", "other_node"})
"""Refusals of what the ledger's own key signed: they hold whatever is shown next. Any other one proves nothing, may be
of a control plane of another release, and is asked about again."""


class Shown(Protocol):
    """What of the ledger is needed; see `LedgerQueue`."""

    async def submission(self, old_size: int) -> Submission:
        """From the longest tree of at most `old_size` leaves. Raises LedgerFailed."""
        ...

    async def cosigned(self, note: Note) -> None:
        """Keep a checkpoint with a witness's signature. Raises LedgerFailed, BadNote."""
        ...


class Line(Protocol):
    """A link that is up; see `CloudLink`."""

    async def ask(self, method: str, request: bytes) -> bytes:
        """Raises NotReachable."""
        ...


class Witnessing:
    """`keep` for as long as the courier runs."""

    def __init__(
        self,
        place: Path,
        ledger: Shown,
        line: Callable[[], Line | None],
        stop: Callable[[str], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        """`place`: of what is remembered. `line`: the link, while it is up. `stop`: told why nothing may leave."""
        self._place = place
        self._ledger = ledger
        self._line = line
        self._stop = stop
        self._clock = clock
        self.memory = recall(place)
        self._said = ""
        self._wait_s = EVERY_S
        self._woken = asyncio.Event()

    def linked(self) -> None:
        """A link is up: whatever waits to be shown is shown at once."""
        self._woken.set()

    async def keep(self) -> None:
        """Until cancelled. Begins with what an earlier start was told of this ledger."""
        if self.memory.refused:
            await self._stop(self.memory.refused)
        while not self.memory.refused:
            await self._pause()
            try:
                await self.show()
                self._said = ""
            except PosternError as error:
                if self._said != error.code:  # not each minute of a week
                    log.warning("the ledger was not witnessed", extra={"code": error.code})
                self._said = error.code
            except Exception:  # a bug here must not end the courier
                log.exception("the ledger was not witnessed")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    async def show(self) -> None:
        """Once, where there is something to show and somebody to see it. Raises LedgerFailed, NotReachable."""
        line = self._line()
        if line is None or self.memory.refused:
            return
        shown = await self._ledger.submission(self.memory.size)
        same = shown.tree == (self.memory.size, self.memory.root)
        if same and self._clock() - self.memory.signed_s < AGAIN_S:
            return
        answer = await _asked(line, shown)
        if answer.WhichOneof("outcome") == "conflict_size":
            shown = await self._ledger.submission(answer.conflict_size)
            answer = await _asked(line, shown)
        match answer.WhichOneof("outcome"):
            case "cosignature":
                await self._signed(shown, answer)
            case "refused":
                await self._refused(shown.origin, answer.refused)
            case _:
                log.warning("the witness wants another proof", extra={"size": answer.conflict_size})

    async def _signed(self, shown: Submission, answer: witness_pb2.AddCheckpointResponse) -> None:
        try:
            witness = Verifier.parse(answer.witness_vkey)
            answered = Note.parse(bytes(shown.note) + answer.cosignature.encode())
            both = cosigned(answered, log_verifier(shown.public), witness)
            await self._ledger.cosigned(both)
        except BadNote as error:
            log.warning("the witness's answer is not its signature of this ledger", extra={"why": str(error)})
            return
        if self.memory.vkey not in ("", answer.witness_vkey):
            log.warning("the control plane's witness has another key", extra={"vkey": answer.witness_vkey})
        self._wait_s = EVERY_S
        at = cosigned_s(both, witness) or 0
        await self._remember(Memory(answer.witness_vkey, *shown.tree, at, shown.origin))

    async def _refused(self, origin: str, reason: str) -> None:
        if reason not in EVIDENCE:
            self._wait_s = min(2 * self._wait_s, AGAIN_S)
            told = {"reason": reason if reason.isidentifier() else "other", "again_s": self._wait_s}
            log.error("the witness does not take this ledger, and proves nothing against it", extra=told)
            return
        log.error("the witness refuses this ledger: nothing leaves any more", extra={"reason": reason})
        try:
            await self._stop(reason)
        finally:
            await self._remember(replace(self.memory, origin=origin, refused=reason))

    async def _remember(self, memory: Memory) -> None:
        self.memory = memory
        await asyncio.to_thread(write_atomic, self._place, json.dumps(asdict(memory)).encode())


async def _asked(line: Line, shown: Submission) -> witness_pb2.AddCheckpointResponse:
    """Raises NotReachable."""
    request = witness_pb2.AddCheckpointRequest(
        old_size=shown.old_size, proof=shown.proof, checkpoint=bytes(shown.note), log_key=shown.public
    )
    answer = await line.ask(ADD_CHECKPOINT, request.SerializeToString())
    try:
        return witness_pb2.AddCheckpointResponse.FromString(answer)
    except DecodeError:
        raise NotReachable("The witness's answer cannot be read.") from None
