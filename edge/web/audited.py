"""The operations of the command line with their rows of audit, by the rules of `edge.web.audit_rules`.

Who acts is whom the kernel names at the other end of the socket, not what the command says of itself.
"""

from __future__ import annotations

import pwd
from typing import Final

from core.errors import PosternError
from edge.store.audit import Kind, Outcome
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation
from edge.web.audit_log import AuditLog
from edge.web.audit_rules import OperationRule, is_refusal, of_operation

ACTOR_CHARS_MAX: Final = 60


def local_user(uid: int) -> str:
    """The user of this machine, as rows of audit name one."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a user of another system, in a container
        name = str(uid)
    return f"terminal:{name}"[:ACTOR_CHARS_MAX]


class Audited:
    """Makes an operation write its rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = AuditLog(store)

    def by(self, uid: int, name: str, operation: Operation) -> Operation:
        """`operation`, called `name`, as the user `uid` runs it."""
        rule, actor = of_operation(name), local_user(uid)

        async def run(arguments: Arguments, on_progress: OnProgress) -> object:
            what = self._named(rule, arguments)
            if rule.kind in {Kind.CHANGE, Kind.DELETE} and not rule.own_audit:
                await self._rows.append(actor, name, what, Outcome.BEGUN)
            try:
                result = await operation(arguments, on_progress)
            except BaseException as error:
                await self._failed(rule, actor, what, error)
                raise
            if not (rule.own_audit or rule.kind is Kind.NONE):
                await self._rows.append(actor, name, what, Outcome.DONE)
            return result

        return run

    async def forbidden(self, uid: int) -> None:
        """Another user than the node's tried the socket."""
        await self._rows.refused(local_user(uid), "admin.connect", "")

    async def _failed(self, rule: OperationRule, actor: str, what: str, error: BaseException) -> None:
        if isinstance(error, PosternError) and is_refusal(error):
            await self._rows.refused(actor, rule.name, what)
        elif rule.kind is not Kind.NONE:
            await self._rows.append(actor, rule.name, what, Outcome.FAILED)

    def _named(self, rule: OperationRule, arguments: Arguments) -> str:
        """The identifier of what is meant; a person's only as a label."""
        value = arguments.get(rule.named_by) if rule.named_by else None
        if value is None:
            return ""
        if rule.named_by == "subject":
            return self._store.digests.label(str(value))
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
