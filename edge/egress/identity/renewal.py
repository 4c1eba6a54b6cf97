"""The site's next certificate: renewed over the present one, or after that one's end against proof of its key.

The key is made here for each certificate and stays. What came is tried in a handshake before it is kept, so that an
answer that does not work leaves the present identity in place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import grpc
import grpc.aio

from core import identity as certificates
from core.errors import ExitCode, NotReachable, PosternError
from edge.egress.courier.cloud_channel import (
    is_ready,
    open_channel,
    open_site_channel,
    opened_channel,
    unreachable_because,
)
from edge.egress.courier.recorded import recorded
from edge.egress.identity.enrolment import checked, require_endpoints
from edge.egress.identity.identity import Identity
from edge.egress.ledger.queue import LedgerQueue
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc

RENEWAL: Final = "renewal"
REATTESTATION: Final = "reattestation"
# A signature and a commit.
CALL_TIMEOUT_S: Final = 20.0


class RenewalRefused(PosternError):
    """The control plane does not give this site another certificate."""

    code = "renewal_refused"
    title = "The control plane does not renew the site's certificate"
    remedy = (
        "The node was revoked or replaced, or its certificate expired too long ago. Enrol the site again with a new "
        "code: postern enroll."
    )
    exit_code = ExitCode.REFUSED


class RenewalFailed(PosternError):
    """The control plane answered, but not with a certificate that works."""

    code = "renewal_failed"
    title = "The site's certificate could not be renewed"
    remedy = "It is tried again by itself; if it goes on, look at the control plane's log."


async def renew(mine: Identity, ledger: LedgerQueue) -> Identity:
    """The next identity, by the present one. Raises NotReachable, RenewalRefused, RenewalFailed, LedgerFailed."""
    key = certificates.new_key()
    request = enrolment_pb2.RenewRequest(signing_request=certificates.create_signing_request(key))
    endpoint = mine.enrolment.sync_endpoint
    async with recorded(ledger, endpoint, RENEWAL, request.SerializeToString()) as call:
        channel, why = await opened_channel(mine, endpoint)
        if channel is None:
            raise NotReachable(f"The control plane at {endpoint} does not let the site in ({why}).")
        try:
            call.sending(mine.destination_key)
            stub = enrolment_pb2_grpc.IdentityServiceStub(channel)  # type: ignore[no-untyped-call]
            answer = await _answer(stub.Renew(request, timeout=CALL_TIMEOUT_S))
            call.sent()
        finally:
            await channel.close(None)
        return await _tried(_next(mine, answer, certificates.key_to_pem(key)))


async def reattest(mine: Identity, ledger: LedgerQueue) -> Identity:
    """The next identity, by the key of one that expired. Raises as `renew`."""
    endpoint, pinned = mine.enrolment.enrolment_endpoint, mine.enrolment_pem
    if not endpoint or not pinned:
        raise RenewalFailed("Where the site was enrolled is not known any more.")
    async with recorded(ledger, endpoint, REATTESTATION, b"") as asking:
        if why := await unreachable_because(endpoint):
            raise NotReachable(f"Nobody answers at the control plane's enrolment port, {endpoint} ({why}).")
        credentials = grpc.ssl_channel_credentials(root_certificates=pinned)
        async with await open_channel(endpoint, credentials, certificates.ENROLMENT_TARGET_NAME) as channel:
            if not await is_ready(channel):
                raise NotReachable(f"The control plane's enrolment port at {endpoint} does not answer.")
            stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
            asking.sending(certificates.public_key_hash(pinned))
            challenge = enrolment_pb2.ChallengeRequest()
            nonce = (await _answer(stub.Challenge(challenge, timeout=CALL_TIMEOUT_S))).nonce
            asking.sent()
            return await _prove(mine, nonce, stub, ledger)


async def _prove(mine: Identity, nonce: bytes, stub: Any, ledger: LedgerQueue) -> Identity:
    key = certificates.new_key()
    signing_request = certificates.create_signing_request(key)
    request = enrolment_pb2.ReattestRequest(
        nonce=nonce,
        certificate=mine.certificate_pem,
        signature=certificates.prove_possession(mine.key_pem, nonce, signing_request),
        signing_request=signing_request,
    )
    endpoint = mine.enrolment.enrolment_endpoint
    async with recorded(ledger, endpoint, REATTESTATION, request.SerializeToString()) as call:
        call.sending(certificates.public_key_hash(mine.enrolment_pem))
        answer = await _answer(stub.Reattest(request, timeout=CALL_TIMEOUT_S))
        call.sent()
        return await _tried(_next(mine, answer.renewed, certificates.key_to_pem(key)))


def _next(mine: Identity, answer: enrolment_pb2.RenewResponse, key_pem: bytes) -> Identity:
    """The answer as an identity. Raises RenewalFailed when it does not hold together."""
    chain, roots = answer.certificate_chain, answer.ca_certificates
    try:
        require_endpoints(*filter(None, (answer.sync_endpoint, *answer.overflow_endpoints)))
        issued, expires = checked(chain, roots, mine.enrolment.node_id, key_pem)
    except PosternError as error:
        raise RenewalFailed(error.detail) from error
    enrolment = replace(
        mine.enrolment,
        sync_endpoint=answer.sync_endpoint or mine.enrolment.sync_endpoint,
        overflow_endpoints=tuple(answer.overflow_endpoints),
        issued_unix_s=issued,
        expires_unix_s=expires,
    )
    return replace(mine, enrolment=enrolment, key_pem=key_pem, certificate_pem=chain, roots_pem=roots)


async def _tried(fresh: Identity) -> Identity:
    """`fresh`, once a handshake with it has succeeded. Raises RenewalFailed."""
    endpoint = fresh.enrolment.sync_endpoint
    channel = await open_site_channel(fresh, endpoint)
    try:
        if not await is_ready(channel):
            raise RenewalFailed(f"The new certificate does not work at {endpoint}; the present one stays.")
    finally:
        await channel.close(None)
    return fresh


async def _answer(call: Any) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        match error.code():
            case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
                raise RenewalRefused(error.details() or "") from error
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
                raise NotReachable("The control plane stopped answering.") from error
            case code:
                raise RenewalFailed(f"The control plane answered {code.name}.") from error
