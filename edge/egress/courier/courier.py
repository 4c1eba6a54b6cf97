"""The courier process: the only way out of the site.

It listens on a Unix socket, takes sealed envelopes from the node, and is the only part that opens a connection to
the control plane. It keeps the site's identity and the egress ledger; it keeps no text, has no store, and starts
happily before the site is enrolled. Rules of the stream are not here: the node decides what is said
(edge/sync/session.py).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.errors import ExitCode, PosternError
from core.files import private_folder
from core.local_socket import BadFrame, allowed_uids, peer_uid, read_frame
from core.version import VERSION
from edge.egress.courier.episode import Episode
from edge.egress.courier.handshake import REFUSED
from edge.egress.courier.inspection import refusal_of, sealed
from edge.egress.courier.link import CloudLink
from edge.egress.courier.peer import Peer
from edge.egress.courier.replays import Replays
from edge.egress.courier.witnessing import WITNESS_REFUSED, Witnessing
from edge.egress.envelope import load_or_create_key
from edge.egress.fetch.desk import FetchDesk
from edge.egress.identity import enrolment, identity
from edge.egress.identity.keeper import IdentityKeeper
from edge.egress.identity.renewal_rules import Reach
from edge.egress.ledger import LedgerFailed, WitnessRefused
from edge.egress.ledger.log import Log
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.overflow.desk import OverflowDesk
from edge.egress.proofs.desk import ProofDesk
from edge.egress.reconciliation import confinement
from edge.egress.reconciliation.reconciling import Reconciling
from edge.paths import SitePaths
from postern.v1 import courier_pb2 as wire

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0
# The counts go to the node at most this often.
NUMBERS_EVERY_S = 1.0
CONNECTIONS_MAX = 8


async def serve(
    paths: SitePaths,
    stop: asyncio.Event,
    clock: Callable[[], float] = time.time,
    counted: Path = confinement.COUNTED,
) -> None:
    """Run the courier until `stop` is set; `clock` gives Unix time, seconds. `counted`: the meter's file.

    Raises LedgerBroken, LedgerInUse, LedgerFailed, IdentityDamaged and EnvelopeKeyDamaged at start.
    """
    key = load_or_create_key(paths.keys)
    # Here and in no thread, whose heap would stay: nothing else runs yet.
    opened = Log.open(paths.ledger)
    courier = Courier(paths, key, LedgerQueue(opened), Replays(opened.recent_envelopes), clock, counted)
    try:
        courier.start()
        server = await _listen(paths, courier)
        log.info("courier listens", extra={"enrolled": courier.enrolled})
        try:
            await stop.wait()
        finally:
            server.close()
            paths.courier_socket.unlink(missing_ok=True)
    finally:
        await courier.stop()


async def _listen(paths: SitePaths, courier: Courier) -> asyncio.Server:
    """Bind the socket; a leftover of a killed courier goes (the ledger's lock says that no other one lives)."""
    private_folder(paths.run)
    # Under its name only once nobody else may connect to it. Not longer than its name, which the system limits.
    aside = paths.courier_socket.with_suffix(".new")
    aside.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(courier.accept, aside)
    aside.chmod(0o660)
    aside.rename(paths.courier_socket)
    return server


@dataclass(eq=False)
class _Attached(Peer):
    """The node's connection, and the link it asked for."""

    link_number: int = 0
    link: CloudLink | None = None
    running: asyncio.Task[None] | None = None


class Courier:
    """Connections from this machine on one side, at most one link to the control plane on the other."""

    def __init__(
        self,
        paths: SitePaths,
        key: bytes,
        queue: LedgerQueue,
        replays: Replays,
        clock: Callable[[], float],
        counted: Path,
    ) -> None:
        self._paths = paths
        self._key = key
        self._ledger = queue
        self._identity = identity.load(paths.courier)
        # Whoever changes it: what is on disk, what is used and what the node is told are then the same.
        self._changing = asyncio.Lock()
        self._uids = allowed_uids(paths.root)
        self._instance = os.urandom(8)
        self._sent_bytes: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._node: _Attached | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._episode = Episode(queue)
        self._numbers_due: asyncio.TimerHandle | None = None
        self._overflow = OverflowDesk(
            self._identity, key, queue, replays, self._sent_bytes, self._refused, self._numbers_soon
        )
        self._fetches = FetchDesk(
            self._identity, key, queue, self._sent_bytes, self._refused, self._numbers_soon
        )
        self._proofs = ProofDesk(paths.ledger, queue)
        self._keeper = IdentityKeeper(lambda: self._identity, self._renewed, queue, clock)
        self._witnessing = Witnessing(paths.witness_memory, queue, self._line, self._stop_sending, clock)
        self._reconciling = Reconciling(queue, partial(confinement.read, counted), self._numbers_soon)
        self._keeping: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Look after the certificate and the ledger's checkpoints from now on."""
        self._keeping = [
            asyncio.create_task(self._keeper.keep(), name="identity"),
            asyncio.create_task(self._ledger.keep_signing(), name="checkpoints"),
            asyncio.create_task(self._witnessing.keep(), name="witness"),
            asyncio.create_task(self._reconciling.keep(), name="reconciling"),
        ]

    @property
    def enrolled(self) -> bool:
        """Whether the site has an identity."""
        return self._identity is not None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        if peer_uid(writer) not in self._uids or len(self._connections) >= CONNECTIONS_MAX:
            self._refused["peer"] += 1
            self._numbers_soon()
            writer.close()
            return
        self._connections.add(writer)
        mine = _Attached(writer)
        try:
            while (frame := await read_frame(reader, wire.NodeFrame)) is not None:
                await self._handle(mine, frame)
        except BadFrame as error:
            log.warning("bad frame on the socket", extra={"detail": error.detail})
        except ConnectionError:
            pass  # the other end has gone; what it asked for ends below
        finally:
            self._connections.discard(writer)
            await self._overflow.leave(mine)
            self._fetches.leave(mine)
            await self._detach(mine)
            writer.close()

    async def stop(self) -> None:
        """End the link, record its end, close what is open."""
        if self._numbers_due is not None:
            self._numbers_due.cancel()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                for task in self._keeping:
                    task.cancel()
                await asyncio.gather(*self._keeping, return_exceptions=True)
                if self._node is not None:
                    await self._end_link(self._node, "closed")
                await self._episode.close("closed")
                await self._overflow.stop()
                await self._fetches.stop()
                await self._proofs.stop()
        except TimeoutError:
            log.warning("the link did not end in time")
        for writer in tuple(self._connections):
            writer.close()
        await self._ledger.close()

    async def _handle(self, mine: _Attached, frame: wire.NodeFrame) -> None:
        match frame.WhichOneof("frame"):
            case "attach":
                await self._attach(mine)
            case "enrol_order":
                await self._enrol(mine, frame.enrol_order)
            case "overflow_attach":
                await self._overflow.attach(mine)
            case "overflow_order":
                self._overflow.order(mine, frame.overflow_order)
            case "overflow_cancel":
                self._overflow.cancel(mine, frame.overflow_cancel.number)
            case "fetch_order":
                self._fetches.order(mine, frame.fetch_order)
            case "proof_order":
                self._proofs.order(mine, frame.proof_order)
            case _ if mine is not self._node:
                raise BadFrame(
                    "A connection that is not attached may enrol, fetch, ask for answers and for proofs."
                )
            case "open_link":
                await self._open_link(mine, frame.open_link.link)
            case "envelope":
                await self._pass_on(mine, frame.envelope)
            case "close_link":
                if frame.close_link.link == mine.link_number:
                    await self._end_link(mine, "closed")
            case _:
                raise BadFrame("An unknown frame came.")

    async def _attach(self, mine: _Attached) -> None:
        """The newest connection is the node's: an older one belongs to a node that is gone or on its way out."""
        older, self._node = self._node, mine
        if older is not None and older is not mine:
            older.writer.transport.abort()  # it may have stopped reading; nobody waits for it
            await self._end_link(older, "closed")
        await mine.say(wire.CourierFrame(identity_state=_state(self._identity)))
        await self._say_numbers()

    async def _detach(self, mine: _Attached) -> None:
        if self._node is mine:
            await self._end_link(mine, "closed")
            await self._episode.close("closed")
            self._node = None

    async def _open_link(self, mine: _Attached, number: int) -> None:
        await self._end_link(mine, "closed")
        mine.link_number = number
        if self._identity is None:
            await self._link_down(mine, number, "not_enrolled")
            return
        mine.link = CloudLink(self._identity, self._ledger, self._sent_bytes)
        mine.running = asyncio.create_task(self._run_link(mine, number, mine.link), name="link")

    async def _run_link(self, mine: _Attached, number: int, link: CloudLink) -> None:
        """One attempt and, if it succeeds, one link; the node is told how it ended."""
        assert self._identity is not None

        async def announce() -> None:
            self._keeper.saw(Reach.UP)
            self._witnessing.linked()
            await mine.say(wire.CourierFrame(link_up=wire.LinkUp(link=number)))

        async def deliver(payload: bytes, upload: bool) -> None:
            frame = wire.CloudFrame(link=number, payload=payload, upload=upload)
            await mine.say(wire.CourierFrame(cloud_frame=frame))

        try:
            await self._episode.attempt(self._identity.enrolment.sync_endpoint)
            reason = await link.run(announce, deliver)
            refused = reason == REFUSED and not link.connected
            self._keeper.saw(Reach.REFUSED if refused else Reach.UNKNOWN)
            if link.connected:
                key = self._identity.destination_key
                await self._episode.close(reason, link.framing_frames, link.framing_bytes, key)
        except WitnessRefused:
            reason = WITNESS_REFUSED
        except LedgerFailed as error:
            log.error("the ledger cannot be written", extra={"detail": error.detail})
            reason = "ledger_failed"
        except Exception:  # a bug here must not leave the node waiting for a link that is gone
            log.exception("the link failed")
            reason = "failed"
        await self._link_down(mine, number, reason)

    def _line(self) -> CloudLink | None:
        """The link, while it is up."""
        link = self._node.link if self._node is not None else None
        return link if link is not None and link.up else None

    async def _stop_sending(self, reason: str) -> None:
        """A witness remembers another ledger: what would be recorded in this one is not sent."""
        self._ledger.stop(reason)
        ending = [self._overflow.close(WITNESS_REFUSED), self._fetches.close(WITNESS_REFUSED)]
        if self._node is not None:
            ending.append(self._end_link(self._node, WITNESS_REFUSED))
        await asyncio.gather(*ending)

    async def _end_link(self, mine: _Attached, reason: str) -> None:
        if mine.link is not None:
            mine.link.close(reason)
        if mine.running is not None:
            await asyncio.wait((mine.running,))
        mine.link = mine.running = None

    async def _link_down(self, mine: _Attached, number: int, reason: str) -> None:
        await self._say_numbers()
        await mine.say(wire.CourierFrame(link_down=wire.LinkDown(link=number, reason=reason)))

    async def _pass_on(self, mine: _Attached, message: wire.Envelope) -> None:
        if mine.link is None or message.link != mine.link_number:
            return  # of a link that has ended; the node reads the rows again for the next one
        envelope = sealed(message)
        reason = refusal_of(envelope, self._key)
        if envelope is None or reason:
            self._refused[reason] += 1
            log.error("an envelope was refused", extra={"reason": reason, "kind": message.kind[:32]})
            refused = wire.EnvelopeRefused(link=message.link, envelope_id=message.envelope_id, reason=reason)
            await mine.say(wire.CourierFrame(envelope_refused=refused))
            return
        await mine.link.offer(envelope)
        self._numbers_soon()

    async def _enrol(self, mine: _Attached, order: wire.EnrolOrder) -> None:
        try:
            fresh = await enrolment.exchange(order.endpoint, order.code, VERSION, self._ledger)
            async with self._changing:
                await asyncio.to_thread(identity.store, self._paths.courier, fresh)
                self._identity = fresh
                await self._overflow.use(fresh)
                await self._fetches.use(fresh)
                await mine.say(wire.CourierFrame(enrol_result=wire.EnrolResult(identity=_state(fresh))))
                await self._link_again(fresh)
        except PosternError as error:
            await mine.say(wire.CourierFrame(enrol_result=_failure(error)))

    async def _renewed(self, mine: identity.Identity, fresh: identity.Identity) -> None:
        """Go on under `fresh`: stored in one step, then each channel is handed over to a new one."""
        async with self._changing:
            if self._identity is not mine:
                return  # the site was enrolled anew meanwhile
            await asyncio.to_thread(identity.store, self._paths.courier, fresh)
            self._identity = fresh
            self._overflow.hand_over(fresh)
            await self._fetches.use(fresh)
            await self._link_again(fresh)

    async def _link_again(self, fresh: identity.Identity) -> None:
        """The node's link ends, and the node, told why, opens the next one at once: rows that were not acknowledged
        are read again, and the control plane takes each once."""
        self._keeper.changed()
        if self._node is not None:
            await self._end_link(self._node, "identity_changed")
            await self._node.say(wire.CourierFrame(identity_state=_state(fresh)))

    def _numbers_soon(self) -> None:
        if self._numbers_due is None:
            loop = asyncio.get_running_loop()
            self._numbers_due = loop.call_later(
                NUMBERS_EVERY_S, lambda: loop.create_task(self._say_numbers())
            )

    async def _say_numbers(self) -> None:
        if self._numbers_due is not None:
            self._numbers_due.cancel()
            self._numbers_due = None
        if self._node is not None:
            numbers = wire.CourierNumbers(
                instance=self._instance,
                bytes_by_kind=self._sent_bytes,
                refused_by_reason=self._refused,
                unexplained_bytes=self._reconciling.told.unexplained_bytes,
                unexplained_unix_ms=self._reconciling.told.at_ms,
                ledger=wire.LedgerNumbers(
                    entries=self._ledger.size,
                    witnessed_entries=self._witnessing.memory.size,
                    witnessed_unix_s=self._witnessing.memory.signed_s,
                    compared_unix_ms=self._reconciling.told.compared_ms,
                ),
            )
            await self._node.say(wire.CourierFrame(courier_numbers=numbers))


def _state(current: identity.Identity | None) -> wire.IdentityState:
    if current is None:
        return wire.IdentityState()
    enrolment = current.enrolment
    return wire.IdentityState(
        enrolled=True,
        node_id=enrolment.node_id,
        site_name=enrolment.site_name,
        sync_endpoint=enrolment.sync_endpoint,
        expires_unix_s=enrolment.expires_unix_s,
        issued_unix_s=enrolment.issued_unix_s,
        vendor_root=current.vendor_root,
        director_root=current.director_root,
    )


def _failure(error: PosternError) -> wire.EnrolResult:
    return wire.EnrolResult(
        error_code=error.code,
        detail=error.detail,
        remedy=error.remedy,
        exit_code=int(ExitCode(error.exit_code)),
    )
