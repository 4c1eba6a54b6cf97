"""Spending a one-time code: the courier's side of enrolment.

The port's certificate is fetched unverified and compared with the fingerprint inside the code before the secret is
said; the private key is made here and stays. Recorded in the ledger before the first byte, like all that leaves.
"""

from __future__ import annotations

import asyncio
import ssl

import grpc
import grpc.aio

from core import identity as certificates
from core.errors import ExitCode, NotReachable, PosternError
from core.identity import EnrolmentCode
from edge.egress.courier.cloud_channel import open_channel
from edge.egress.courier.handshake import shake_hands
from edge.egress.courier.proxy import NoWay
from edge.egress.courier.recorded import recorded
from edge.egress.identity.identity import Enrolment, Identity, is_endpoint
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.reconciliation import own_traffic
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc

KIND = "enrolment"
# TLS handshake for the certificate; and issuing one, which is a signature and a commit.
FETCH_TIMEOUT_S = 10.0
ENROL_TIMEOUT_S = 20.0


class WrongControlPlane(PosternError):
    """The port shows another certificate than the code was made for."""

    code = "wrong_control_plane"
    title = "This is not the control plane that the code is from"
    remedy = (
        "Someone may be in between, or the address is wrong. The code was not sent. Check the address with whoever "
        "gave you the code; if it is right, tell them, and do not go on over this network."
    )
    exit_code = ExitCode.CHECK_FAILED


class CodeRefused(PosternError):
    """The control plane does not take the code."""

    code = "code_refused"
    title = "The control plane does not accept this code"
    remedy = "A code works once and not for long. Ask for a new one: postern-cloud enroll-code new."
    exit_code = ExitCode.REFUSED


class EnrolmentFailed(PosternError):
    """The control plane answered, but not with an identity."""

    code = "enrolment_failed"
    title = "Enrolment failed"
    remedy = "Wait a minute and try again with the same code; if it is then refused, ask for a new one."


async def exchange(endpoint: str, code: str, software_version: str, ledger: LedgerQueue) -> Identity:
    """Trade a code for an identity.

    Raises InvalidCode, NotReachable, WrongControlPlane, CodeRefused, EnrolmentFailed, LedgerFailed.
    """
    parsed = certificates.parse_code(code)
    host, port = _split(endpoint)
    key = certificates.new_key()
    request = enrolment_pb2.EnrolRequest(
        secret=parsed.secret,
        signing_request=certificates.create_signing_request(key),
        software_version=software_version,
    )
    async with recorded(ledger, endpoint, KIND, request.SerializeToString()) as call:
        pinned = await _pinned_certificate(host, port, parsed)
        call.sending(certificates.public_key_hash(pinned))
        response = await _enrol(endpoint, pinned, request)
        call.sent()
    return _identity(response, certificates.key_to_pem(key), endpoint, pinned)


async def _pinned_certificate(host: str, port: int, code: EnrolmentCode) -> bytes:
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            pem = await _shown_certificate(host, port)
    except NoWay as error:
        raise NotReachable(f"The site's proxy opens no way to {host}:{port} ({error.reason}).") from error
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise NotReachable(f"No control plane answers at {host}:{port} ({type(error).__name__}).") from error
    if not code.matches(certificates.certificate_fingerprint(pem.encode())):
        raise WrongControlPlane(f"The certificate at {host}:{port} does not fit the code.")
    return pem.encode()


async def _shown_certificate(host: str, port: int) -> str:
    """Whatever certificate is shown there, as PEM; the code says whether it is the right one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    own_traffic.attempted()
    own_traffic.connecting()
    shown = (await shake_hands(host, port, context, host)).getpeercert(True)
    assert shown is not None
    return ssl.DER_cert_to_PEM_cert(shown)


async def _enrol(
    endpoint: str, pinned: bytes, request: enrolment_pb2.EnrolRequest
) -> enrolment_pb2.EnrolResponse:
    credentials = grpc.ssl_channel_credentials(root_certificates=pinned)
    async with await open_channel(endpoint, credentials, certificates.ENROLMENT_TARGET_NAME) as channel:
        try:
            stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
            response: enrolment_pb2.EnrolResponse = await stub.Enrol(request, timeout=ENROL_TIMEOUT_S)
            return response
        except grpc.aio.AioRpcError as error:
            raise _refusal(error.code(), endpoint) from error


def _refusal(code: grpc.StatusCode, endpoint: str) -> PosternError:
    match code:
        case grpc.StatusCode.UNAUTHENTICATED:
            return CodeRefused("The code is unknown, spent or expired.")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED:
            return NotReachable(f"The control plane at {endpoint} stopped answering.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return EnrolmentFailed("The control plane has seen too many attempts.")
        case _:
            return EnrolmentFailed(f"The control plane answered {code.name}.")


def _identity(
    response: enrolment_pb2.EnrolResponse, key_pem: bytes, endpoint: str, pinned_pem: bytes
) -> Identity:
    """The answer as an identity. Raises EnrolmentFailed when it does not hold together."""
    require_endpoints(response.sync_endpoint, *response.overflow_endpoints)
    chain, roots = response.certificate_chain, response.ca_certificates
    issued, expires = checked(chain, roots, response.node_id, key_pem)
    enrolment = Enrolment(
        response.node_id,
        response.site_name,
        response.sync_endpoint,
        certificates.CONTROL_PLANE_TARGET_NAME,
        tuple(response.overflow_endpoints),
        endpoint,
        issued,
        expires,
    )
    trusted = (response.vendor_root, response.director_root)
    return Identity(enrolment, key_pem, chain, roots, pinned_pem, *trusted)


def require_endpoints(*told: str) -> None:
    """Raises EnrolmentFailed for what the ledger could not name before anything is sent there."""
    if not all(map(is_endpoint, told)):
        raise EnrolmentFailed("The control plane's answer names an address that is not HOST:PORT.")


def checked(chain: bytes, roots: bytes, node_id: str, key_pem: bytes) -> tuple[int, int]:
    """When a certificate that came was issued and expires, Unix seconds. Raises EnrolmentFailed if it does not fit."""
    try:
        issued_to = certificates.node_id_from_certificate(chain)
        public = certificates.read_certificate(chain).public_key()
        certificates.read_certificate(roots)
    except PosternError as error:
        raise EnrolmentFailed("The control plane's answer holds no usable certificate.") from error
    if issued_to != node_id or public != certificates.key_from_pem(key_pem).public_key():
        raise EnrolmentFailed("The control plane's certificate is not for this node.")
    issued, expires = certificates.certificate_times(chain)
    return int(issued.timestamp()), int(expires.timestamp())


def _split(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    if not is_endpoint(endpoint):
        raise NotReachable("The address of the control plane has the form HOST:PORT.")
    return host.strip("[]"), int(port)
