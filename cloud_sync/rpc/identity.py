"""IdentityService: the next certificate for a node that has one. Who it is comes from TLS only."""

from __future__ import annotations

import logging

import grpc

from cloud_sync.fleet.admission import NodeRefused
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.renewal import Renewal
from cloud_sync.rpc.callers import caller_of
from cloud_sync.rpc.enrolment import Endpoints, status_of
from core.errors import PosternError
from core.identity import InvalidCertificate
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[enrolment_pb2.RenewRequest, enrolment_pb2.RenewResponse]


class IdentityService(enrolment_pb2_grpc.IdentityServiceServicer):
    """The wire side of `Renewal`, where TLS knows who calls."""

    def __init__(self, renewal: Renewal, intake: Intake, endpoints: Endpoints) -> None:
        self._renewal = renewal
        self._intake = intake
        self._endpoints = endpoints

    async def Renew(
        self, request: enrolment_pb2.RenewRequest, context: Context
    ) -> enrolment_pb2.RenewResponse:
        """A certificate for the key of the request."""
        node_id = ""
        try:
            caller = caller_of(context)
            node_id = caller.node_id
            pem = await self._renewal.renew(node_id, caller.fingerprint, request.signing_request)
        except PosternError as error:
            if isinstance(error, NodeRefused | InvalidCertificate):
                await self._write_down(node_id, error)
            await context.abort(status_of(error), error.detail)
        return self._endpoints.renewed(pem, self._renewal.authority_pem)

    async def _write_down(self, node_id: str, error: PosternError) -> None:
        try:
            await self._intake.refused(node_id, error.code)
        except PosternError as failure:
            log.error("a refusal could not be written down", extra={"code": failure.code})
