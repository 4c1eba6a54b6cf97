"""The node's end of the courier's socket: sends orders and sealed envelopes, receives events as frozen values.

Knows no rules of the stream and opens no network connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import ExitCode, NotReachable, PosternError
from core.local_socket import read_frame, write_frame
from edge.egress.envelope import Envelope, Purpose
from postern.v1 import courier_pb2 as wire

COURIER_AWAY: Final = "courier_away"
"""Why nothing is asked while no courier listens; other reasons are the courier's own."""

CONNECT_TIMEOUT_S = 5.0
# Issuing a certificate, with both of the courier's own time-outs.
ENROL_TIMEOUT_S = 45.0
_PURPOSES = {
    Purpose.FRAMING: wire.ENVELOPE_PURPOSE_FRAMING,
    Purpose.RECORDS: wire.ENVELOPE_PURPOSE_RECORDS,
    Purpose.OVERFLOW: wire.ENVELOPE_PURPOSE_OVERFLOW,
    Purpose.FETCH: wire.ENVELOPE_PURPOSE_FETCH,
}


@dataclass(frozen=True)
class IdentityState:
    """Who the site is to its control plane; all empty before enrolment."""

    enrolled: bool
    node_id: str
    site_name: str
    sync_endpoint: str
    # Of the certificate.
    issued_unix_s: int = 0
    expires_unix_s: int = 0
    # Of what the site may install, as they came with the enrolment; empty: there were none.
    vendor_root: bytes = b""
    director_root: bytes = b""


@dataclass(frozen=True)
class LinkUp:
    """The channel is open."""

    link: int


@dataclass(frozen=True)
class LinkDown:
    """The link has ended, or never came up."""

    link: int
    reason: str


@dataclass(frozen=True)
class CloudBytes:
    """A serialised ConnectResponse or, where `upload`, UploadResponse."""

    link: int
    payload: bytes
    upload: bool = False


@dataclass(frozen=True)
class EnvelopeRefused:
    """The courier did not send an envelope."""

    link: int
    reason: str


@dataclass(frozen=True)
class LedgerNumbers:
    """How the record of what left stands."""

    entries: int = 0
    witnessed_entries: int = 0
    """The first so many were signed by the control plane's witness, at `witnessed_s`, Unix time; 0: none."""
    witnessed_s: int = 0
    compared_ms: int = 0
    """Unix time until which it was compared with the kernel's counters since the courier started; 0: not."""


@dataclass(frozen=True)
class CourierNumbers:
    """Counts since the courier `instance` started."""

    instance: bytes
    bytes_by_kind: dict[str, int]
    refused_by_reason: dict[str, int]
    unexplained_bytes: int = 0
    """That the kernel counted and the ledger does not explain."""
    unexplained_ms: int = 0
    """Unix time of the last of them, of before the start too; 0: none."""
    ledger: LedgerNumbers = LedgerNumbers()

    def sent_since(self, known: CourierNumbers) -> dict[str, int]:
        """Bytes by kind since `known`, all of them where the courier began anew since.

        None where nothing is `known` yet: the courier may have been at it for days before the node started. Pure.
        """
        if not known.instance:
            return {}
        before = known.bytes_by_kind if known.instance == self.instance else {}
        return {kind: max(0, total - before.get(kind, 0)) for kind, total in self.bytes_by_kind.items()}


@dataclass(frozen=True)
class EnrolResult:
    """How an order to enrol ended: an identity, or an error."""

    identity: IdentityState
    error: PosternError | None


CourierEvent = IdentityState | LinkUp | LinkDown | CloudBytes | EnvelopeRefused | CourierNumbers | EnrolResult


class CourierConnection:
    """One open connection. `receive` is for one task; the rest may be called from any."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def attach(self) -> None:
        """Become the node's connection; an IdentityState follows."""
        await self._send(wire.NodeFrame(attach=wire.Attach()))

    async def open_link(self, link: int) -> None:
        """Ask for a link; LinkUp or LinkDown follows."""
        await self._send(wire.NodeFrame(open_link=wire.OpenLink(link=link)))

    async def close_link(self, link: int) -> None:
        """Ask for the link's end; LinkDown follows."""
        await self._send(wire.NodeFrame(close_link=wire.CloseLink(link=link)))

    async def send(self, link: int, envelope: Envelope) -> None:
        """Hand over a sealed envelope; waits while the courier has enough. Raises NotReachable."""
        await self._send(wire.NodeFrame(envelope=envelope_message(envelope, link)))

    async def order_enrolment(self, endpoint: str, code: str) -> None:
        """Ask the courier to spend a code; EnrolResult follows."""
        await self._send(wire.NodeFrame(enrol_order=wire.EnrolOrder(endpoint=endpoint, code=code)))

    async def receive(self) -> CourierEvent | None:
        """The next event; None when the courier has gone. Raises BadFrame."""
        while (frame := await read_frame(self._reader, wire.CourierFrame)) is not None:
            if (event := _event(frame)) is not None:
                return event
        return None

    async def close(self) -> None:
        """Let go of the socket."""
        self._writer.close()

    async def _send(self, frame: wire.NodeFrame) -> None:
        try:
            write_frame(self._writer, frame)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise NotReachable("The courier has gone.") from error


class CourierClient:
    """Where the courier is to be found."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def connect(self) -> CourierConnection:
        """A new connection. Raises NotReachable when no courier listens."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return CourierConnection(*await asyncio.open_unix_connection(self._socket))
        except (OSError, TimeoutError) as error:
            raise NotReachable(
                "The site's courier does not answer.", remedy="Start it: postern run."
            ) from error

    async def enrol(self, endpoint: str, code: str) -> IdentityState:
        """Have the running courier spend a code. Raises NotReachable, and what the courier met."""
        connection = await self.connect()
        try:
            async with asyncio.timeout(ENROL_TIMEOUT_S):
                await connection.order_enrolment(endpoint, code)
                while (event := await connection.receive()) is not None:
                    if isinstance(event, EnrolResult):
                        if event.error is not None:
                            raise event.error
                        return event.identity
        except TimeoutError as error:
            raise NotReachable("The courier did not finish in time.") from error
        finally:
            await connection.close()
        raise NotReachable("The courier ended before it answered.")


def envelope_message(envelope: Envelope, link: int = 0) -> wire.Envelope:
    """A sealed envelope as the courier takes it; `link` 0: of none."""
    return wire.Envelope(
        link=link,
        envelope_id=envelope.identifier,
        purpose=_PURPOSES[envelope.purpose],
        kind=envelope.kind,
        payload=envelope.payload,
        rows=envelope.rows,
        verdict=envelope.verdict,
        policy=envelope.policy,
        salt=envelope.salt,
        mac=envelope.mac,
    )


def _event(frame: wire.CourierFrame) -> CourierEvent | None:
    """A frame as a value; None for one that this version does not know."""
    match frame.WhichOneof("frame"):
        case "identity_state":
            return _identity(frame.identity_state)
        case "link_up":
            return LinkUp(frame.link_up.link)
        case "link_down":
            return LinkDown(frame.link_down.link, frame.link_down.reason)
        case "cloud_frame":
            cloud = frame.cloud_frame
            return CloudBytes(cloud.link, cloud.payload, cloud.upload)
        case "envelope_refused":
            return EnvelopeRefused(frame.envelope_refused.link, frame.envelope_refused.reason)
        case "courier_numbers":
            numbers = frame.courier_numbers
            return CourierNumbers(
                numbers.instance,
                dict(numbers.bytes_by_kind),
                dict(numbers.refused_by_reason),
                numbers.unexplained_bytes,
                numbers.unexplained_unix_ms,
                LedgerNumbers(
                    numbers.ledger.entries,
                    numbers.ledger.witnessed_entries,
                    numbers.ledger.witnessed_unix_s,
                    numbers.ledger.compared_unix_ms,
                ),
            )
        case "enrol_result":
            return EnrolResult(_identity(frame.enrol_result.identity), _error(frame.enrol_result))
        case _:
            return None


def _identity(state: wire.IdentityState) -> IdentityState:
    return IdentityState(
        state.enrolled,
        state.node_id,
        state.site_name,
        state.sync_endpoint,
        state.issued_unix_s,
        state.expires_unix_s,
        state.vendor_root,
        state.director_root,
    )


def _error(result: wire.EnrolResult) -> PosternError | None:
    """The courier's error, as it met it."""
    if not result.error_code:
        return None
    error = PosternError(result.detail, remedy=result.remedy)
    error.code, error.title = result.error_code, "Enrolment failed"
    error.exit_code = ExitCode(result.exit_code)
    return error
