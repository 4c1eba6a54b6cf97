"""Operators for the command line: operations `operators.*`, which take plain JSON and return plain JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, SecretStr
from sqlite_utils import Database

from edge.operations.arguments import OperationArguments, read_arguments
from edge.store import audit, operators
from edge.store.operators import BREAK_GLASS, NoSuchOperator, Operator, Role, Seal, State
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation

if TYPE_CHECKING:
    from core.webshell.accounts import Accounts

TOKEN_HOURS_MAX = 24 * 31

Name = Annotated[str, Field(min_length=1, max_length=60)]


class ActorArguments(OperationArguments):
    """`actor` is who acts: a user of this machine."""

    actor: Name = "terminal"


class OperatorArguments(ActorArguments):
    """`postern operators disable|enable`."""

    name: Name


class PasswordArguments(OperatorArguments):
    """`postern operators set-password`."""

    password: SecretStr


class AddArguments(PasswordArguments):
    """`postern operators add`."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    display_name: Annotated[str, Field(max_length=60)] = ""


class TokenArguments(OperatorArguments):
    """`postern operators token`."""

    hours: Annotated[int, Field(ge=1, le=TOKEN_HOURS_MAX)] = 10


class OperatorOperations:
    """The operations, by name. `accounts` is asked for only when a password or token is made: it loads argon2."""

    def __init__(self, store: Store, accounts: Callable[[], Accounts]) -> None:
        self._store = store
        self._accounts = accounts

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "operators.list": self.list,
            "operators.add": self.add,
            "operators.disable": self.disable,
            "operators.enable": self.enable,
            "operators.set-password": self.set_password,
            "operators.break-glass": self.break_glass,
            "operators.token": self.token,
        }

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """All operators, by name."""
        read_arguments(ActorArguments, arguments)
        found, seal = await self._store.read(lambda db: (operators.listing(db), operators.seal(db)))
        return [_row(operator, seal) for operator in found]

    async def add(self, arguments: Arguments, _: OnProgress) -> object:
        """A new operator."""
        wanted = read_arguments(AddArguments, arguments)
        hashed = await self._hash(wanted.name, wanted.password.get_secret_value())

        def write(db: Database) -> None:
            operators.add(
                db, wanted.actor, wanted.name, wanted.roles, hashed, display_name=wanted.display_name
            )

        await self._store.write(write)
        return {"name": wanted.name, "roles": sorted(wanted.roles)}

    async def disable(self, arguments: Arguments, _: OnProgress) -> object:
        """No login any more; what is open ends."""
        return await self._set_state(read_arguments(OperatorArguments, arguments), State.DISABLED)

    async def enable(self, arguments: Arguments, _: OnProgress) -> object:
        """May log in again."""
        return await self._set_state(read_arguments(OperatorArguments, arguments), State.ACTIVE)

    async def set_password(self, arguments: Arguments, _: OnProgress) -> object:
        """A new password; what is open ends."""
        wanted = read_arguments(PasswordArguments, arguments)
        hashed = await self._hash(wanted.name, wanted.password.get_secret_value())
        await self._store.write(lambda db: operators.set_password(db, wanted.actor, wanted.name, hashed))
        return {"name": wanted.name}

    async def break_glass(self, arguments: Arguments, _: OnProgress) -> object:
        """Two new halves of the emergency account's password, for two people, told this once."""
        actor = read_arguments(ActorArguments, arguments).actor
        accounts = await asyncio.to_thread(self._accounts)
        sealed = await accounts.new_seal()
        await self._store.write(lambda db: operators.seal_break_glass(db, actor, sealed.hashes))
        return {"name": BREAK_GLASS, "envelopes": list(sealed.envelopes)}

    async def token(self, arguments: Arguments, _: OnProgress) -> object:
        """A token for a program that acts for an operator, told this once."""
        wanted = read_arguments(TokenArguments, arguments)
        accounts = await asyncio.to_thread(self._accounts)
        token, token_hash = accounts.new_token()
        now_ms = time.time_ns() // 1_000_000
        expires_ms = now_ms + timedelta(hours=wanted.hours) // timedelta(milliseconds=1)

        def write(db: Database) -> None:
            operator = operators.find(db, wanted.name)
            if operator is None or operator.state is not State.ACTIVE:
                raise NoSuchOperator
            operators.open_session(db, token_hash, wanted.name, now_ms, expires_ms, bound_to=b"")
            # A program has no idle hours: its token ends by the clock alone.
            operators.touch_session(db, token_hash, expires_ms)
            audit.append(db, wanted.actor, "operators.token", wanted.name)

        await self._store.write(write)
        until = datetime.fromtimestamp(expires_ms / 1000, UTC)
        return {"name": wanted.name, "token": token, "expires_at": until.isoformat(timespec="seconds")}

    async def _set_state(self, wanted: OperatorArguments, state: State) -> object:
        await self._store.write(lambda db: operators.set_state(db, wanted.actor, wanted.name, state))
        return {"name": wanted.name, "state": state}

    async def _hash(self, name: str, password: str) -> str:
        accounts = await asyncio.to_thread(self._accounts)
        return await accounts.new_password(name, password)


def _row(operator: Operator, seal: Seal) -> dict[str, object]:
    return {
        "name": operator.name,
        "roles": sorted(operator.roles),
        "display_name": operator.display_name,
        "state": operator.state,
        "single_sign_on": operator.single_sign_on,
        "created_ms": operator.created_ms,
        "seal": seal if operator.state is State.BREAK_GLASS else None,
    }
