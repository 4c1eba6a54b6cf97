"""What the control plane wants of nodes: desired state by group or node, and who is revoked.

A change is written with a counter beside it. Every process with open streams looks at the counter a few times a
second, so that a change by the command line or another replica arrives as fast as one by this console.
"""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.desired import (
    DesiredRow,
    add_desired,
    bump,
    current_desired,
    group_scope,
    node_scope,
    revision,
)
from cloud_sync.store.nodes import ACTIVE, NodeRow, all_nodes, get_node, revoke_node
from core.errors import ConfigError, ExitCode, PosternError
from core.signing import canonical_json, content_hash

log = logging.getLogger(__name__)

# A desired change reaches a connected node within a second; one indexed row four times a second costs nothing.
LOOK_INTERVAL_S = 0.25
# A snapshot fits one message with room to spare, and a person can still read it.
DOCUMENT_BYTES_MAX = 64 * 1024
GROUP_CHARACTERS_MAX = 60


class UnknownNode(PosternError):
    """No node has this identifier."""

    code = "unknown_node"
    title = "There is no such node"
    remedy = "List the nodes with `postern-cloud node list`."
    status = 404


class InvalidDesired(ConfigError):
    """The desired state cannot be sent to a node."""

    code = "invalid_desired_state"
    title = "The desired state cannot be used"
    remedy = "Correct the file and set it again."
    status = 400
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Wanted:
    """What a connected node must be told."""

    revoked: bool
    desired: DesiredRow | None


def read_document(toml: str) -> bytes:
    """A desired state written in TOML as canonical JSON. Raises InvalidDesired."""
    try:
        document = canonical_json(tomllib.loads(toml))
    except tomllib.TOMLDecodeError as error:
        raise InvalidDesired(f"It is not TOML: {error}.") from None
    except (TypeError, ValueError):
        raise InvalidDesired("It has dates or infinite numbers; write dates as text.") from None
    if len(document) > DOCUMENT_BYTES_MAX:
        raise InvalidDesired(f"It has {len(document)} bytes; {DOCUMENT_BYTES_MAX} are allowed.")
    return document


def wanted_of(node: NodeRow, wanted: dict[str, DesiredRow]) -> DesiredRow | None:
    """What is wanted of a node: its own state if one was set, else its group's. Pure."""
    return wanted.get(node_scope(node.id)) or wanted.get(group_scope(node.group_name))


class Steering:
    """Sets and reads what is wanted."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def set_for_group(self, group: str, document: bytes, actor: str) -> DesiredRow:
        """Want `document` of a group. Raises InvalidDesired."""
        if not group or len(group) > GROUP_CHARACTERS_MAX or not group.isprintable():
            raise InvalidDesired(f"A group's name has 1 to {GROUP_CHARACTERS_MAX} printable characters.")
        return await self._database.run(
            lambda connection: self._set(connection, group_scope(group), document, actor)
        )

    async def set_for_node(self, node_id: str, document: bytes, actor: str) -> DesiredRow:
        """Want `document` of one node, whatever its group's is. Raises UnknownNode."""

        def write(connection: sa.Connection) -> DesiredRow:
            _require(connection, node_id)
            return self._set(connection, node_scope(node_id), document, actor)

        return await self._database.run(write)

    def _set(self, connection: sa.Connection, scope: str, document: bytes, actor: str) -> DesiredRow:
        digest, now = content_hash(document), self._clock()
        generation = add_desired(connection, scope, digest, document, now, actor)
        add_audit(connection, AuditRow(now, actor, "desired.set", scope, f"generation {generation}"))
        return DesiredRow(generation, scope, digest, document)

    async def revoke(self, node_id: str, actor: str) -> bool:
        """Revoke a node; False when it was revoked before. Raises UnknownNode."""
        now = self._clock()

        def write(connection: sa.Connection) -> bool:
            _require(connection, node_id)
            bump(connection)
            revoked = revoke_node(connection, node_id, now)
            if revoked:
                add_audit(connection, AuditRow(now, actor, "node.revoked", node_id))
            return revoked

        return await self._database.run(write)

    async def wanted(self, node_ids: Iterable[str]) -> dict[str, Wanted]:
        """What to tell each of these nodes now."""
        asked = frozenset(node_ids)

        def read(connection: sa.Connection) -> dict[str, Wanted]:
            desired = current_desired(connection)
            found = [node for node in all_nodes(connection) if node.id in asked]
            return {node.id: Wanted(node.status != ACTIVE, wanted_of(node, desired)) for node in found}

        return await self._database.run(read)

    async def watch(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Call `on_change` after every change, by whomever, for ever."""
        seen = -1
        while True:
            try:
                now = await self._database.run(revision)
                if now != seen:
                    await on_change()
                    seen = now
            except PosternError as error:
                log.warning("changes not read", extra={"code": error.code})
            await asyncio.sleep(LOOK_INTERVAL_S)


def _require(connection: sa.Connection, node_id: str) -> NodeRow:
    node = get_node(connection, node_id)
    if node is None:
        raise UnknownNode("No node has this identifier.")
    return node
