"""A channel to the control plane: mutual TLS with the site's identity, to one endpoint; and what comes over it.

A new one for each connection: gRPC cannot reload certificates, and a new channel is a new handshake.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from grpc.aio import EOF  # type: ignore[attr-defined]  # missing in grpc-stubs

from edge.egress.courier import proxy
from edge.egress.courier.handshake import REFUSED, why_refused
from edge.egress.identity.identity import Identity
from edge.egress.reconciliation import own_traffic

# Name look-up and TCP handshake; satellite links need under 2 s.
REACH_TIMEOUT_S = 5.0
# TLS handshake and HTTP/2 settings on top of that.
READY_TIMEOUT_S = 10.0
CHANNEL_OPTIONS = (
    # Both sides agree on these (grpc/grpc doc/keepalive.md): the server permits a ping each 20 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 1_000_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new handshake with the new certificate
    # Windows are not measured. It costs a ping for each heartbeat, most of what an idle link costs; and where a site
    # slows its updates down, windows grow to megabytes, under way for nothing when the node stops. Without it, what is
    # under way is a piece of a blob and 64 KiB: 100 Mbit/s over 25 ms. What goes out, the other end measures.
    ("grpc.http2.bdp_probe", 0),
    # The way out is the one that the settings name.
    ("grpc.enable_http_proxy", 0),
)


async def unreachable_because(endpoint: str) -> str:
    """Why nobody takes a connection there, as a code of `edge.egress.courier.proxy`; empty where somebody does."""
    host, _, port = endpoint.rpartition(":")
    own_traffic.attempted()
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            _, writer = await proxy.open_way(host.strip("[]"), int(port))
    except proxy.NoWay as error:
        return error.reason
    except (OSError, TimeoutError, ValueError):
        return proxy.UNREACHABLE
    writer.close()
    return ""


async def open_channel(
    endpoint: str, credentials: grpc.ChannelCredentials, target_name: str
) -> grpc.aio.Channel:
    """A channel of its own, to whoever shows a certificate of that name; it connects when it is asked to."""
    own_traffic.connecting()
    options = (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", target_name))
    return grpc.aio.secure_channel(await proxy.grpc_target(endpoint), credentials, options=options)


async def open_site_channel(identity: Identity, endpoint: str) -> grpc.aio.Channel:
    """The same, with the site's certificate."""
    credentials = grpc.ssl_channel_credentials(identity.roots_pem, identity.key_pem, identity.certificate_pem)
    return await open_channel(endpoint, credentials, identity.enrolment.target_name)


async def is_ready(channel: grpc.aio.Channel) -> bool:
    """Whether the handshake succeeds; the wait ends by a change of state, not by cancelling."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            state = channel.get_state(try_to_connect=True)
            while state in (grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING):
                await channel.wait_for_state_change(state)
                state = channel.get_state()
    except TimeoutError:
        return False
    return state is grpc.ChannelConnectivity.READY


async def opened_channel(identity: Identity, endpoint: str) -> tuple[grpc.aio.Channel | None, str]:
    """A channel over which the control plane let this site in, for the caller to close; or why there is none, as a
    short code of `edge.egress.courier.proxy` or `edge.egress.courier.handshake`."""
    if why := await unreachable_because(endpoint):
        return None, why
    channel = await open_site_channel(identity, endpoint)
    ready = False
    try:
        ready = await is_ready(channel)
    finally:
        if not ready:
            await channel.close(None)
    if ready:
        return channel, ""
    return None, await why_refused(endpoint, identity.roots_pem, identity.enrolment.target_name)


def in_short(why: str) -> str:
    """Of such a reason what a fetch or a text is told: whose fault it is; the link says the rest."""
    return why if why in {REFUSED, *proxy.REASONS} else proxy.UNREACHABLE


class Incoming:
    """The messages of a call, as bytes, in order; `status` says how it ended, once no more comes.

    grpc.aio leaks native memory with each cancelled batch (grpc/grpc #43360, #38499): who has enough cancels the call,
    never the task that reads.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self.status = grpc.StatusCode.UNKNOWN

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        try:
            payload: bytes = await self._call.read()
            if payload is not EOF:
                own_traffic.received(len(payload))
                return payload
            self.status = await self._call.code()
        except grpc.RpcError as error:
            self.status = error.code()
        except asyncio.CancelledError:  # how the call reports `call.cancel()` to its reader
            self.status = grpc.StatusCode.CANCELLED
        raise StopAsyncIteration
