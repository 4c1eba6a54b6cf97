"""Keys of programs for the command line and the console: operations `api-keys.*`, plain JSON in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from edge.chat.notice import Notice
from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.operators import ActorArguments
from edge.store.allowance import MOST, USUAL, Allowance
from edge.store.api_keys import ApiKey, Scope
from edge.web.admin import Arguments, OnProgress, Operation
from edge.web.key_ring import KeyRing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$")]


class ListArguments(OperationArguments):
    """`postern api-keys list`."""


class RevokeArguments(ActorArguments):
    """`postern api-keys revoke`."""

    name: Name


class NewArguments(RevokeArguments):
    """`postern api-keys new`."""

    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    requests_per_minute: Annotated[int, Field(ge=1, le=MOST.requests_per_minute)] = USUAL.requests_per_minute
    tokens_per_minute: Annotated[int, Field(ge=1, le=MOST.tokens_per_minute)] = USUAL.tokens_per_minute
    concurrent_max: Annotated[int, Field(ge=1, le=MOST.concurrent_max)] = USUAL.concurrent_max

    @model_validator(mode="after")
    def _staff_asks(self) -> NewArguments:
        """Documents for staff are reached by asking only."""
        if Scope.STAFF in self.scopes and Scope.CHAT not in self.scopes:
            raise ValueError("the scope staff is of use only together with chat")
        return self


class ApiKeyOperations:
    """The operations, by name. Whoever makes a key that asks questions sees the notice that its program must show."""

    def __init__(self, keys: KeyRing, notice: Notice) -> None:
        self._keys = keys
        self._notice = notice

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"api-keys.list": self.list, "api-keys.new": self.new, "api-keys.revoke": self.revoke}

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """Every key that works, then the last ones revoked."""
        read_arguments(ListArguments, arguments)
        return [_row(key) for key in await self._keys.listing()]

    async def new(self, arguments: Arguments, _: OnProgress) -> object:
        """A key, told this once."""
        wanted = read_arguments(NewArguments, arguments)
        allowance = Allowance(wanted.requests_per_minute, wanted.tokens_per_minute, wanted.concurrent_max)
        notice = self._notice if Scope.CHAT in wanted.scopes else None
        version = notice.version if notice else None
        key, secret = await self._keys.new(wanted.actor, wanted.name, wanted.scopes, allowance, version)
        shown = {"version": notice.version, "text": notice.text} if notice else None
        return {**_row(key), "key": secret, "notice": shown}

    async def revoke(self, arguments: Arguments, _: OnProgress) -> object:
        """Out of use at once."""
        wanted = read_arguments(RevokeArguments, arguments)
        await self._keys.revoke(wanted.actor, wanted.name)
        return {"name": wanted.name}


def _row(key: ApiKey) -> dict[str, object]:
    used = key.used_day is not None and (_EPOCH + timedelta(days=key.used_day)).date().isoformat()
    return {
        "name": key.name,
        "scopes": sorted(key.scopes),
        "requests_per_minute": key.allowance.requests_per_minute,
        "tokens_per_minute": key.allowance.tokens_per_minute,
        "concurrent_max": key.allowance.concurrent_max,
        "created_ms": key.created_ms,
        "used_on": used or None,
        "revoked_ms": key.revoked_ms,
    }
