"""What the control plane wants of nodes: desired state by group or node, what each is assigned, and who is revoked.

A change is written under the next generation, and said to every process with open streams, so that a change by the
command line or another replica arrives as fast as one by this console.
"""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from cloud_sync.fleet.composing import UPDATES, UPDATES_MAX, composed
from cloud_sync.fleet.labels import labelled
from cloud_sync.store.assignments import Assignment, add_assignments, assignments_of, remove_assignments
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.database import Database
from cloud_sync.store.desired import (
    DesiredRow,
    add_desired,
    changed_since,
    current_desired,
    group_scope,
    next_generation,
    node_scope,
    revision,
)
from cloud_sync.store.nodes import (
    ACTIVE,
    NodeRow,
    Steered,
    get_node,
    label_node,
    move_node,
    revoke_node,
    steer,
    steered,
)
from cloud_sync.store.notices import MISSED, STEERING, STREAM, TICK
from cloud_sync.store.streams import fence
from core.errors import ConfigError, ExitCode, PosternError
from core.signing import canonical_json, content_hash

log = logging.getLogger(__name__)

# A node takes 64 KiB, of which UPDATES_MAX assignments take 7 at most; a person can still read it.
DOCUMENT_BYTES_MAX = 56 * 1024
GROUP_CHARACTERS_MAX = 60
# The generation alone tells settings apart; the hash is for whoever compares two control planes.
ETAG_HASH_CHARACTERS = 12


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
    remedy = "Correct it and set it again."
    status = 400
    exit_code = ExitCode.USAGE


class TooManyAssignments(PosternError):
    """A node would have to run more than it takes."""

    code = "too_many_assignments"
    title = "A node is assigned too much"
    remedy = "Abort rollouts that are not needed any more, or choose other nodes."
    status = 409


class DesiredChanged(PosternError):
    """Somebody else set it since it was read."""

    code = "desired_changed"
    title = "The desired state has changed since you read it"
    remedy = "Read it again (`postern-cloud desired show`), and make your change to what it is now."
    status = 412


@dataclass(frozen=True)
class Setting:
    """What admins set of a scope, and the tag by which they change that and nothing newer. "0": never set."""

    scope: str
    etag: str
    document: bytes | None


@dataclass(frozen=True)
class Wanted:
    """What a connected node must be told. Of its streams only `stream_generation` may go on."""

    revoked: bool
    stream_generation: int
    desired: DesiredRow | None


@dataclass(frozen=True)
class Look:
    """What was wanted at one moment: of each node asked for, under the newest generation of all."""

    generation: int
    nodes: Mapping[str, Wanted]


class Streams(Protocol):
    """The open streams of this process."""

    async def refresh(self, since: int) -> int:
        """Tell nodes what changed for them after generation `since`; up to which one they are told now."""
        ...

    def opened_elsewhere(self, node_id: str, generation: int) -> None:
        """A stream of a node was opened, here or at another replica: any older one ends."""
        ...


def read_document(text: str) -> bytes:
    """A desired state written in TOML, or in JSON as `desired show` gives it, as canonical JSON.

    Raises InvalidDesired.
    """
    try:
        read = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        document = canonical_json(read)
    except tomllib.TOMLDecodeError as error:
        raise InvalidDesired(f"It is not TOML: {error}.") from None
    except json.JSONDecodeError as error:
        raise InvalidDesired(f"It is not JSON: {error}.") from None
    except (TypeError, ValueError, RecursionError):
        raise InvalidDesired("It has dates or infinite numbers; write dates as text.") from None
    if len(document) > DOCUMENT_BYTES_MAX:
        raise InvalidDesired(f"It has {len(document)} bytes; {DOCUMENT_BYTES_MAX} are allowed.")
    if UPDATES in read:
        raise InvalidDesired(f"What nodes run is set by rollouts, not by `{UPDATES}`.")
    return document


class Steering:
    """Sets and reads what is wanted."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def set_for_group(
        self, group: str, document: bytes, actor: str, expected: str | None = None
    ) -> DesiredRow:
        """Want `document` of a group; b"" takes back what was wanted.

        `expected`: only if its tag is still this. Raises InvalidDesired, DesiredChanged.
        """
        check_group(group)
        return await self._database.run(
            lambda connection: self._set(connection, group_scope(group), document, actor, expected)
        )

    async def set_for_node(
        self,
        node_id: str,
        document: bytes,
        actor: str,
        expected: str | None = None,
        expected_of_group: str | None = None,
    ) -> DesiredRow:
        """Want `document` of one node, whatever its group's is; b"" gives it its group's again.

        `expected`: only if its tag is still this, `expected_of_group`: and its group's this. Raises UnknownNode,
        DesiredChanged.
        """

        def write(connection: sa.Connection) -> DesiredRow:
            group = require_node(connection, node_id).group_name
            row = self._set(connection, node_scope(node_id), document, actor, expected)
            # After the write, which holds the lock of generations: nobody changes the group's any more.
            _check_tag(_setting(connection, group_scope(group)), expected_of_group)
            return row

        return await self._database.run(write)

    def _set(
        self, connection: sa.Connection, scope: str, document: bytes, actor: str, expected: str | None
    ) -> DesiredRow:
        now, generation = self._clock(), next_generation(connection)
        before = _setting(connection, scope)
        _check_tag(before, expected)
        row = DesiredRow(generation, scope, content_hash(document), document)
        add_desired(connection, row, now, actor)
        action = "desired.set" if document else "desired.unset"
        add_audit(connection, AuditRow(now, actor, action, scope, f"generation {generation}"))
        return row

    async def setting_of_group(self, group: str) -> Setting:
        """What was set of a group. Raises InvalidDesired."""
        check_group(group)
        return await self._database.run(lambda connection: _setting(connection, group_scope(group)))

    async def setting_of_node(self, node_id: str) -> Setting:
        """What was set of one node, without its group's. Raises UnknownNode."""

        def read(connection: sa.Connection) -> Setting:
            require_node(connection, node_id)
            return _setting(connection, node_scope(node_id))

        return await self._database.run(read)

    async def move(self, node_id: str, group: str, actor: str) -> bool:
        """Put a node into a group; False when it is there. Raises UnknownNode, InvalidDesired."""
        check_group(group)
        now = self._clock()

        def write(connection: sa.Connection) -> bool:
            generation = next_generation(connection)
            before = require_node(connection, node_id).group_name
            if before == group:
                return False
            move_node(connection, node_id, group)
            steer(connection, [node_id], generation)
            add_audit(connection, AuditRow(now, actor, "node.moved", node_id, f"{before} to {group}"))
            return True

        return await self._database.run(write)

    async def label(self, node_id: str, changes: Sequence[str], actor: str) -> Mapping[str, str]:
        """Change a node's labels ("key=value", "key="); all of them after it. Raises UnknownNode, InvalidLabels."""
        now = self._clock()

        def write(connection: sa.Connection) -> Mapping[str, str]:
            before = require_node(connection, node_id).labels
            after = labelled(before, changes)
            if after != before:
                label_node(connection, node_id, after)
                detail = " ".join(f"{key}={value}" for key, value in after.items())
                add_audit(connection, AuditRow(now, actor, "node.labelled", node_id, detail))
            return after

        return await self._database.run(write)

    def assign(self, connection: sa.Connection, wanted: Sequence[Assignment]) -> int:
        """Assign these, in the caller's transaction and under one new generation, which is returned.

        Each replaces what its node was assigned of the same kind and name, which is what the node returns to when
        the rollout's is taken back. Raises TooManyAssignments.
        """
        generation = next_generation(connection)
        node_ids = {one.node_id for one in wanted}
        add_assignments(connection, wanted, generation)
        for node_id, found in assignments_of(connection, node_ids).items():
            if len(found) > UPDATES_MAX:
                raise TooManyAssignments(f"{node_id} would run {len(found)} things; it takes {UPDATES_MAX}.")
        steer(connection, node_ids, generation)
        return generation

    def unassign(
        self, connection: sa.Connection, rollout_id: str, node_ids: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Take back what a rollout assigned to these nodes (None: to all), in the caller's transaction.

        Each goes back to what it was assigned before, if anything. The nodes that had something of the rollout.
        """
        generation = next_generation(connection)
        found = remove_assignments(connection, rollout_id, node_ids)
        steer(connection, found, generation)
        return found

    async def revoke(self, node_id: str, actor: str) -> bool:
        """Revoke a node, which may write nothing from this moment on; False when it was revoked before.

        Raises UnknownNode.
        """
        now = self._clock()

        def write(connection: sa.Connection) -> bool:
            generation = next_generation(connection)
            require_node(connection, node_id)
            ended = revoke_node(connection, node_id, now)
            if ended is not None:
                fence(connection, node_id, ended)
                steer(connection, [node_id], generation)
                add_audit(connection, AuditRow(now, actor, "node.revoked", node_id))
            return ended is not None

        return await self._database.run(write)

    async def look(self, node_ids: Collection[str], since: int = 0) -> Look:
        """What to tell these nodes now; of those alone for which something changed after generation `since`."""
        asked = frozenset(node_ids)

        def read(connection: sa.Connection) -> Look:
            newest = revision(connection)
            which = changed_since(connection, since) if since else None
            return Look(newest, _wanted(connection, steered(connection, asked, which)))

        return await self._database.run(read)

    async def watch(self, streams: Streams) -> None:
        """Tell the streams of this process of every change, by whomever, for ever."""
        told = 0
        async for notice in self._database.notices():
            try:
                if notice.topic == STREAM:
                    generation, _, node_id = notice.content.partition(" ")
                    streams.opened_elsewhere(node_id, int(generation))
                elif notice.topic == MISSED:
                    told = await streams.refresh(0)
                elif notice.topic == TICK:
                    newest = await self._database.run(revision)
                    told = await streams.refresh(told) if newest != told else told
                elif notice.topic == STEERING and int(notice.content) > told:
                    told = await streams.refresh(told)
            except (PosternError, ValueError) as error:
                log.warning("changes not read", extra={"error": type(error).__name__})


def _wanted(connection: sa.Connection, nodes: Collection[Steered]) -> dict[str, Wanted]:
    scopes = {group_scope(node.group_name) for node in nodes} | {node_scope(node.id) for node in nodes}
    desired = current_desired(connection, scopes)
    assigned = assignments_of(connection, {node.id for node in nodes})
    return {
        node.id: Wanted(
            node.status != ACTIVE,
            node.stream_generation,
            composed(node, desired, assigned.get(node.id, ())),
        )
        for node in nodes
    }


def _setting(connection: sa.Connection, scope: str) -> Setting:
    row = current_desired(connection, (scope,)).get(scope)
    if row is None:
        return Setting(scope, "0", None)
    return Setting(scope, etag_of(row), row.document or None)


def _check_tag(setting: Setting, expected: str | None) -> None:
    """Raises DesiredChanged."""
    if expected is not None and expected != setting.etag:
        raise DesiredChanged(f"Its tag is {setting.etag}, not {expected[:40]}.")


def etag_of(row: DesiredRow) -> str:
    """The tag of what was set."""
    return f"{row.generation}-{row.hash.hex()[:ETAG_HASH_CHARACTERS]}"


def check_group(group: str) -> None:
    """Raises InvalidDesired."""
    if not group or len(group) > GROUP_CHARACTERS_MAX or not group.isprintable():
        raise InvalidDesired(f"A group's name has 1 to {GROUP_CHARACTERS_MAX} printable characters.")


def require_node(connection: sa.Connection, node_id: str) -> NodeRow:
    """Raises UnknownNode."""
    node = get_node(connection, node_id)
    if node is None:
        raise UnknownNode("No node has this identifier.")
    return node
