"""WitnessService: a ledger's checkpoint in, a cosignature out. Who it is comes from TLS only."""

from __future__ import annotations

import logging

import grpc

from cloud_sync.fleet.admission import NodeRefused
from cloud_sync.fleet.intake import Intake
from cloud_sync.fleet.witnessing import Cosigned, Witnessing
from cloud_sync.rpc.callers import caller_of
from cloud_sync.witness.rules import Conflict, Submitted
from core.errors import PosternError
from core.identity import InvalidCertificate
from postern.v1 import witness_pb2, witness_pb2_grpc

log = logging.getLogger(__name__)
_Request, _Response = witness_pb2.AddCheckpointRequest, witness_pb2.AddCheckpointResponse
Context = grpc.aio.ServicerContext[witness_pb2.AddCheckpointRequest, witness_pb2.AddCheckpointResponse]

_CODES = {429: grpc.StatusCode.RESOURCE_EXHAUSTED, 401: grpc.StatusCode.PERMISSION_DENIED}
"""HTTP's statuses, which every error carries; all others are UNAVAILABLE."""


class WitnessService(witness_pb2_grpc.WitnessServiceServicer):
    """The wire side of `Witnessing`."""

    def __init__(self, witnessing: Witnessing, intake: Intake) -> None:
        self._witnessing = witnessing
        self._intake = intake

    async def AddCheckpoint(
        self, request: witness_pb2.AddCheckpointRequest, context: Context
    ) -> witness_pb2.AddCheckpointResponse:
        """Sign the ledger of the calling node, or say why not."""
        submitted = Submitted(request.old_size, tuple(request.proof), request.checkpoint)
        node_id, vkey = "", self._witnessing.vkey
        try:
            caller = caller_of(context)
            node_id = caller.node_id
            decision = await self._witnessing.submit(node_id, caller.fingerprint, request.log_key, submitted)
        except PosternError as error:
            if isinstance(error, NodeRefused | InvalidCertificate):
                await self._write_down(node_id, error)
            await context.abort(_CODES.get(error.status, grpc.StatusCode.UNAVAILABLE), error.detail)
        match decision:
            case Cosigned(line):
                return _Response(cosignature=line, witness_vkey=vkey)
            case Conflict(size):
                return _Response(conflict_size=size, witness_vkey=vkey)
            case refusal:
                log.warning("a ledger was refused", extra={"node": node_id, "reason": refusal.reason.value})
                return _Response(refused=refusal.reason.value, witness_vkey=vkey)

    async def _write_down(self, node_id: str, error: PosternError) -> None:
        try:
            await self._intake.refused(node_id, error.code)
        except PosternError as failure:
            log.error("a refusal could not be written down", extra={"code": failure.code})
