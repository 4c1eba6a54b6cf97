"""The operations of the command line with their rows of audit, by the rules of `edge.web.audit_rules`.

Who acts is whom the kernel names at the other end of the socket, not what the command says of itself.
"""

from __future__ import annotations

from typing import Final

from core.errors import PosternError
from edge.store.audit import Kind, Outcome
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation
from edge.web.audit_log import AuditLog
from edge.web.audit_rules import OperationRule, is_refusal, of_operation

ACTOR: Final = "actor"
"""The argument of operations that says who acts."""


class Audited:
    """Makes an operation write its rows."""

    def __init__(self, store: Store) -> None:
        self._rows = AuditLog(store)

    def by(self, actor: str, name: str, operation: Operation) -> Operation:
        """`operation`, called `name`, as `actor` runs it."""
        rule = of_operation(name)

        async def run(arguments: Arguments, on_progress: OnProgress) -> object:
            what, arguments = _named(rule, arguments), _signed(arguments, actor)
            if rule.kind in {Kind.CHANGE, Kind.DELETE} and not rule.own_audit:
                await self._rows.append(actor, name, what, Outcome.BEGUN)
            try:
                result = await operation(arguments, on_progress)
            except BaseException as error:
                await self._failed(rule, actor, what, error)
                raise
            spoken_for = rule.own_audit and not _is_own_name(arguments, actor)
            if rule.kind is not Kind.NONE and (spoken_for or not rule.own_audit):
                await self._rows.append(actor, name, what, Outcome.DONE)
            return result

        return run

    async def forbidden(self, actor: str) -> None:
        """Another user than the node's tried the socket."""
        await self._rows.refused(actor, "admin.connect", "")

    async def _failed(self, rule: OperationRule, actor: str, what: str, error: BaseException) -> None:
        if isinstance(error, PosternError) and error.written_down:
            return
        if isinstance(error, PosternError) and is_refusal(error):
            await self._rows.refused(actor, rule.name, what)
        elif rule.kind is not Kind.NONE:
            await self._rows.append(actor, rule.name, what, Outcome.FAILED)


def _named(rule: OperationRule, arguments: Arguments) -> str:
    """The identifier of what is meant. Who is meant, only the operation can tell: its rule names no argument."""
    value = arguments.get(rule.named_by) if rule.named_by else None
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _signed(arguments: Arguments, actor: str) -> Arguments:
    """With who acts as the kernel says it, where an operation asks for it: it writes its own rows."""
    return {**arguments, ACTOR: actor} if ACTOR in arguments else arguments


def _is_own_name(arguments: Arguments, actor: str) -> bool:
    """Staff may act at a terminal under the name that customers see; then a second row says who did."""
    named = arguments.get("operator")
    return named is None or f"terminal:{named}" == actor
