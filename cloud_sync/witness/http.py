"""A customer's witness over HTTP, as C2SP tlog-witness has it: POST /add-checkpoint."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web

from cloud_sync.witness.own import Answer, OwnWitness
from cloud_sync.witness.request import REQUEST_BYTES_MAX
from cloud_sync.witness.rules import Conflict, Reason, Refusal
from core.errors import PosternError

log = logging.getLogger(__name__)

SIZE_TYPE: Final = "text/x.tlog.size"
_STATUS: Final = {
    Reason.MALFORMED: 400,
    Reason.BAD_SIGNATURE: 403,
    Reason.UNKNOWN_LOG: 404,
    Reason.ROLLED_BACK: 409,
    Reason.SPLIT_VIEW: 409,
    Reason.INCONSISTENT: 422,
}


def witness_app(witness: OwnWitness) -> web.Application:
    """One route."""

    async def add_checkpoint(request: web.Request) -> web.Response:
        try:
            answer = await witness.submit(await request.read())
        except PosternError as error:
            log.warning("a checkpoint was not looked at", extra={"code": error.code})
            return web.Response(status=503, text=f"{error.title}.\n")
        return _response(answer)

    app = web.Application(client_max_size=REQUEST_BYTES_MAX)
    app.router.add_post("/add-checkpoint", add_checkpoint)
    return app


def _response(answer: Answer) -> web.Response:
    decision = answer.decision
    if isinstance(decision, Conflict):
        return _size(answer.size)
    if isinstance(decision, Refusal):
        log.warning("a log was refused", extra={"reason": decision.reason.value})
        status = _STATUS[decision.reason]
        return (
            _size(answer.size) if status == 409 else web.Response(status=status, text=f"{decision.reason}\n")
        )
    return web.Response(text=answer.line)


def _size(size: int) -> web.Response:
    return web.Response(status=409, body=b"%d\n" % size, content_type=SIZE_TYPE)
