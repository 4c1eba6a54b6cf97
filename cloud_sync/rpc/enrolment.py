"""EnrolmentService: a one-time code and a signing request in, a certificate out."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from cloud_sync.fleet.enrolment import Enrolment
from cloud_sync.rpc import frames
from core.errors import PosternError
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc

# HTTP's statuses, which every error carries, in gRPC's words.
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
Context = grpc.aio.ServicerContext[enrolment_pb2.EnrolRequest, enrolment_pb2.EnrolResponse]


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServiceServicer):
    """The wire side of `Enrolment`."""

    def __init__(
        self, enrolment: Enrolment, sync_endpoint: str, overflow_endpoints: Sequence[str] = ()
    ) -> None:
        """`overflow_endpoints`: where texts are answered, in the order to try; none: at the sync endpoint."""
        self._enrolment = enrolment
        self._overflow_endpoints = overflow_endpoints
        self._sync_endpoint = sync_endpoint

    async def Enrol(
        self, request: enrolment_pb2.EnrolRequest, context: Context
    ) -> enrolment_pb2.EnrolResponse:
        """Spend a code."""
        version, address = frames.text(request.software_version), _address(context.peer())
        try:
            node = await self._enrolment.redeem(request.secret, request.signing_request, version, address)
        except PosternError as error:
            code = _CODES.get(error.status, grpc.StatusCode.INTERNAL)
            await context.abort(code, f"{error.detail} {error.remedy}")
        return enrolment_pb2.EnrolResponse(
            node_id=node.node_id,
            site_name=node.site,
            certificate_chain=node.certificate_pem,
            ca_certificates=node.authority_pem,
            sync_endpoint=self._sync_endpoint,
            overflow_endpoints=self._overflow_endpoints,
        )


def _address(peer: str) -> str:
    """`ipv4:192.0.2.1:5555` without the port, which is another one each time."""
    return peer.rpartition(":")[0]
