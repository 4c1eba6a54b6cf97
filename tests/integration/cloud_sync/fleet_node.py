"""A node as a test plays it: the wire protocol by hand, independent of the product's own node."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from core import identity
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc, sync_pb2, sync_pb2_grpc

ANSWER_TIMEOUT_S = 30.0  # long for a loaded machine, and an error when it is reached

# gRPC tries again by itself after a second: a loaded test would count what was refused twice.
ONE_TRY = ("grpc.initial_reconnect_backoff_ms", 60_000)


@dataclass(frozen=True)
class TestNode:
    """What enrolment left a node with."""

    __test__ = False

    id: str
    key_pem: bytes
    certificate_pem: bytes
    ca_pem: bytes
    sync_endpoint: str


async def enrol(endpoint: str, code: str, signing_request: bytes | None = None) -> TestNode:
    """The node's half of enrolment: pin the port by the code, then spend it. Raises grpc.aio.AioRpcError."""
    parsed = identity.parse_code(code)
    host, _, port = endpoint.rpartition(":")
    pem = (await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))).encode()
    assert parsed.matches(identity.certificate_fingerprint(pem)), "not the port that the code was made for"
    key = identity.new_key()
    request = enrolment_pb2.EnrolRequest(
        secret=parsed.secret,
        signing_request=identity.create_signing_request(key) if signing_request is None else signing_request,
        software_version="1.2.3",
    )
    options = [("grpc.ssl_target_name_override", identity.ENROLMENT_TARGET_NAME)]
    credentials = grpc.ssl_channel_credentials(root_certificates=pem)
    async with grpc.aio.secure_channel(endpoint, credentials, options=options) as channel:
        answer = await enrolment_pb2_grpc.EnrolmentServiceStub(channel).Enrol(
            request, timeout=ANSWER_TIMEOUT_S
        )
    return TestNode(
        answer.node_id,
        identity.key_to_pem(key),
        answer.certificate_chain,
        answer.ca_certificates,
        answer.sync_endpoint,
    )


def bucket(turns: int | None = 7, start_s: int = 1_772_366_400) -> bytes:
    """A telemetry payload."""
    return json.dumps({"start_s": start_s, "length_s": 3600, "counts": {"turns": {"answer": turns}}}).encode()


def row(sequence: int, payload: bytes | None = None, kind: str = "telemetry.bucket") -> sync_pb2.OutboxRow:
    """An outbox row."""
    content = bucket() if payload is None else payload
    made = sync_pb2.OutboxRow(
        sequence=sequence,
        kind=kind,
        payload=content,
        payload_hash=hashlib.sha256(content).digest(),
        created_unix_ms=1_772_366_400_000,
    )
    setattr(made, "class", sync_pb2.OUTBOX_CLASS_METRICS)
    return made


class Link:
    """One open stream, and the upload beside it."""

    def __init__(self, node: TestNode, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.node = node
        self.epoch = b"e" * 16
        options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME), ONE_TRY]
        self._channel = grpc.aio.secure_channel(
            node.sync_endpoint,
            credentials or grpc.ssl_channel_credentials(node.ca_pem, node.key_pem, node.certificate_pem),
            options=options,
        )
        self._stub: Any = sync_pb2_grpc.SyncServiceStub(self._channel)
        self.call: Any = self._stub.Connect()
        self.upload: Any = None
        self.generation = 0

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()
        if self.upload is not None:
            self.upload.cancel()
        await self._channel.close()

    async def send(self, **frame: Any) -> None:
        await asyncio.wait_for(self.call.write(sync_pb2.ConnectRequest(**frame)), ANSWER_TIMEOUT_S)

    async def receive(self) -> Any:
        """The next frame's content; None at the end of the stream."""
        return await _content(self.call)

    async def hello(self, applied: tuple[int, bytes] = (0, b"")) -> Any:
        """The first words, and their answer: a welcome, or a goodbye."""
        hello = sync_pb2.Hello(
            software_version="1.2.3", applied_generation=applied[0], applied_hash=applied[1]
        )
        await self.send(hello=hello)
        answer = await self.receive()
        if isinstance(answer, sync_pb2.Welcome):
            self.generation = answer.stream_generation
        return answer

    async def open(self, oldest: int = 1, newest: int = 0) -> Any:
        """Hello, and an upload of the rows `oldest` to `newest`; what the upload is answered."""
        await self.hello()
        return await self.open_upload(oldest, newest)

    async def open_upload(self, oldest: int = 1, newest: int = 0) -> Any:
        self.upload = self._stub.Upload()
        opening = sync_pb2.UploadOpen(
            epoch=self.epoch,
            stream_generation=self.generation,
            oldest_sequence=oldest,
            newest_sequence=newest,
        )
        await self.send_up(upload_open=opening)
        return await self.receive_up()

    async def send_up(self, **frame: Any) -> None:
        await asyncio.wait_for(self.upload.write(sync_pb2.UploadRequest(**frame)), ANSWER_TIMEOUT_S)

    async def receive_up(self) -> Any:
        """The next frame's content of the upload; None at its end."""
        return await _content(self.upload)

    async def batch(self, rows: Sequence[sync_pb2.OutboxRow], epoch: bytes | None = None) -> Any:
        """Send rows; the answer."""
        await self.send_batch(rows, epoch)
        return await self.receive_up()

    async def send_batch(self, rows: Sequence[sync_pb2.OutboxRow], epoch: bytes | None = None) -> None:
        await self.send_up(outbox_batch=sync_pb2.OutboxBatch(epoch=epoch or self.epoch, rows=rows))

    async def status(self) -> grpc.StatusCode:
        return await asyncio.wait_for(self.call.code(), ANSWER_TIMEOUT_S)


async def _content(call: Any) -> Any:
    frame = await asyncio.wait_for(call.read(), ANSWER_TIMEOUT_S)
    return None if frame is grpc.aio.EOF else getattr(frame, frame.WhichOneof("frame"))
