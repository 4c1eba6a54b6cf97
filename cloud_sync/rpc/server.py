"""The two gRPC ports: sync with mutual TLS, enrolment with a self-signed certificate that codes are bound to."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from cloud_sync.config import OverflowSettings, RpcSettings
from cloud_sync.fleet.credit import BYTES_MAX
from cloud_sync.fleet.outbox import BATCH_BYTES_MAX
from cloud_sync.rpc.artifacts import FETCHES_MAX, ArtifactService
from cloud_sync.rpc.enrolment import EnrolmentService
from cloud_sync.rpc.identity import IdentityService
from cloud_sync.rpc.overflow import OverflowService
from cloud_sync.rpc.sync import SyncService
from cloud_sync.rpc.witness import WitnessService
from core.errors import ConfigError
from core.identity import Authority, Credential
from postern.v1 import (
    artifact_pb2_grpc,
    enrolment_pb2_grpc,
    overflow_pb2_grpc,
    sync_pb2_grpc,
    witness_pb2_grpc,
)

# A batch and its framing.
MESSAGE_BYTES_MAX = 2 * BATCH_BYTES_MAX
# A signing request has some 200 bytes.
ENROLMENT_BYTES_MAX = 16 * 1024
# Streams that one process carries: five thousand idle ones fit its memory with room.
STREAMS_MAX = 5_000  # each with an upload beside it
# A node has two, and for a moment more; it renews its certificate over a connection of its own. Where answers are
# written, as many more as a node may have at once, on a connection of their own: beyond that, calls wait unseen at the
# node instead of being told that there is no room.
STREAMS_PER_CONNECTION_MAX = 4
ENROLMENTS_AT_ONCE_MAX = 64
# Calls for answers where none are written.
REFUSALS_AT_ONCE_MAX = 64
# An enrolment is one call; the connection need not stay.
ENROLMENT_IDLE_MS = 30_000
# Open streams get this long to say goodbye.
STOP_GRACE_S = 3.0

# Both ends ping after 30 s without data and give up after 20 s more, which slow links need; pings more often than every
# 20 s are refused.
KEEPALIVE = {
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 1,
    # Measuring windows costs a ping for each heartbeat, half of what an idle node costs. Credit bounds what is under
    # way, so the window may be as wide as that, for links whose round trip takes a second.
    "grpc.http2.bdp_probe": 0,
    "grpc.http2.lookahead_bytes": BYTES_MAX,
    "grpc.http2.min_recv_ping_interval_without_data_ms": 20_000,
}


class RpcPort:
    """One gRPC server on one address."""

    def __init__(
        self, server: grpc.aio.Server, settings: RpcSettings, credentials: grpc.ServerCredentials
    ) -> None:
        self._server = server
        self._settings = settings
        self.port = _bind(server, settings, credentials)

    @property
    def endpoint(self) -> str:
        """host:port for nodes."""
        host = self._settings.public_host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def server(self) -> grpc.aio.Server:
        """For adding a service before the start."""
        return self._server

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        """Refuse new calls, wait for goodbyes, cut the rest."""
        await asyncio.wait_for(self._server.stop(STOP_GRACE_S), STOP_GRACE_S + 1)


def sync_port(
    settings: RpcSettings, server_identity: Credential, authority: Authority, overflow: OverflowSettings
) -> RpcPort:
    """The port of the long streams and of answers: only certificates of our own authority get past TLS."""
    answers, of_a_node = answers_at_once(overflow)
    options = KEEPALIVE | {
        "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
        "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
        "grpc.max_concurrent_streams": STREAMS_PER_CONNECTION_MAX + of_a_node,
        "grpc.so_reuseport": 0,
    }
    server = grpc.aio.server(
        options=list(options.items()), maximum_concurrent_rpcs=2 * STREAMS_MAX + answers + FETCHES_MAX
    )
    pair = (server_identity.key_pem, server_identity.certificate_pem)
    credentials = grpc.ssl_server_credentials([pair], authority.certificate_pem, require_client_auth=True)
    return RpcPort(server, settings, credentials)


def answers_at_once(overflow: OverflowSettings) -> tuple[int, int]:
    """Calls for answers, of all nodes and of one: what is written, what is in line, and as many that are refused."""
    if not overflow.enabled:
        return REFUSALS_AT_ONCE_MAX, STREAMS_PER_CONNECTION_MAX
    return (
        2 * (overflow.concurrent_max + overflow.waiting_max),
        2 * (overflow.concurrent_per_node_max + overflow.waiting_max // 2),
    )


def enrolment_port(settings: RpcSettings, port_identity: Credential) -> RpcPort:
    """The port where codes are spent: no client certificate, since nobody has one yet."""
    options = KEEPALIVE | {
        "grpc.max_receive_message_length": ENROLMENT_BYTES_MAX,
        "grpc.max_connection_idle_ms": ENROLMENT_IDLE_MS,
        "grpc.so_reuseport": 0,
    }
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=ENROLMENTS_AT_ONCE_MAX)
    pair = (port_identity.key_pem, port_identity.certificate_pem)
    return RpcPort(server, settings, grpc.ssl_server_credentials([pair]))


def serve_sync(port: RpcPort, service: SyncService) -> None:
    """Put the service on the port."""
    sync_pb2_grpc.add_SyncServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def serve_overflow(port: RpcPort, service: OverflowService) -> None:
    """Put the service on the port."""
    overflow_pb2_grpc.add_OverflowServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def serve_artifacts(port: RpcPort, service: ArtifactService) -> None:
    """Put the service on the port."""
    artifact_pb2_grpc.add_ArtifactServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def serve_identity(port: RpcPort, service: IdentityService) -> None:
    """Put the service on the port."""
    enrolment_pb2_grpc.add_IdentityServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def serve_witness(port: RpcPort, service: WitnessService) -> None:
    """Put the service on the port."""
    witness_pb2_grpc.add_WitnessServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def serve_enrolment(port: RpcPort, service: EnrolmentService) -> None:
    """Put the service on the port."""
    enrolment_pb2_grpc.add_EnrolmentServiceServicer_to_server(service, port.server)  # type: ignore[no-untyped-call]


def _bind(server: Any, settings: RpcSettings, credentials: grpc.ServerCredentials) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        port: int = server.add_secure_port(f"{host}:{settings.port}", credentials)
    except RuntimeError as error:
        remedy = "Stop whatever listens there, or choose another port in cloud.toml."
        raise ConfigError(f"Cannot listen on {host}:{settings.port}.", remedy=remedy) from error
    return port
