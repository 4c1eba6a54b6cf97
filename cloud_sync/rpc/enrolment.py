"""EnrolmentService: a one-time code, or the proof of an expired certificate's key, in; a certificate out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from cloud_sync.fleet.enrolment import Enrolment
from cloud_sync.fleet.renewal import Proof, Renewal
from cloud_sync.registry.vendor import Roots
from cloud_sync.rpc import frames
from cloud_sync.rpc.callers import address_of
from core.errors import PosternError
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc

# HTTP's statuses, which every error carries, in gRPC's words.
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
Trusted = Callable[[], Awaitable[Roots | None]]
"""The roots that nodes are given; see `cloud_sync.registry.vendor.Vendor.roots`."""


@dataclass(frozen=True)
class Endpoints:
    """Where nodes are to go, as they are told with each certificate."""

    sync: str
    overflow: tuple[str, ...] = ()
    """Where texts are answered, in the order to try; none: where `sync` is."""

    def renewed(self, certificate_pem: bytes, authority_pem: bytes) -> enrolment_pb2.RenewResponse:
        """The answer to a renewal."""
        return enrolment_pb2.RenewResponse(
            certificate_chain=certificate_pem,
            ca_certificates=authority_pem,
            sync_endpoint=self.sync,
            overflow_endpoints=self.overflow,
        )


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServiceServicer):
    """The wire side of `Enrolment`, and of `Renewal` where a certificate has expired."""

    def __init__(
        self, enrolment: Enrolment, renewal: Renewal, endpoints: Endpoints, trusted: Trusted
    ) -> None:
        self._enrolment = enrolment
        self._trusted = trusted
        self._renewal = renewal
        self._endpoints = endpoints

    async def Enrol(self, request: enrolment_pb2.EnrolRequest, context: Any) -> enrolment_pb2.EnrolResponse:
        """Spend a code."""
        version, address = frames.text(request.software_version), address_of(context.peer())
        try:
            roots = await self._trusted()
            node = await self._enrolment.redeem(request.secret, request.signing_request, version, address)
        except PosternError as error:
            await context.abort(status_of(error), f"{error.detail} {error.remedy}")
        return enrolment_pb2.EnrolResponse(
            node_id=node.node_id,
            site_name=node.site,
            certificate_chain=node.certificate_pem,
            ca_certificates=node.authority_pem,
            sync_endpoint=self._endpoints.sync,
            overflow_endpoints=self._endpoints.overflow,
            vendor_root=roots.vendor if roots else b"",
            director_root=roots.director if roots else b"",
        )

    async def Challenge(self, _: enrolment_pb2.ChallengeRequest, __: Any) -> enrolment_pb2.ChallengeResponse:
        """A nonce."""
        return enrolment_pb2.ChallengeResponse(nonce=self._renewal.challenge())

    async def Reattest(
        self, request: enrolment_pb2.ReattestRequest, context: Any
    ) -> enrolment_pb2.ReattestResponse:
        """A certificate for whoever has the key of an expired one."""
        proof = Proof(request.nonce, request.certificate, request.signature, request.signing_request)
        try:
            pem = await self._renewal.reattest(proof, address_of(context.peer()))
        except PosternError as error:
            await context.abort(status_of(error), f"{error.detail} {error.remedy}")
        renewed = self._endpoints.renewed(pem, self._renewal.authority_pem)
        return enrolment_pb2.ReattestResponse(renewed=renewed)


def status_of(error: PosternError) -> grpc.StatusCode:
    """An error in gRPC's words."""
    return _CODES.get(error.status, grpc.StatusCode.INTERNAL)
