"""Who is connected to this process right now, and their newest heartbeats; written to the database now and then.

Heartbeats are many and worth little, so they are kept in memory and saved together. Losing the last seconds of
them with the process costs nothing: nodes send the next.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.nodes import Beat, NodeRow, hold, save_beats, save_lost
from core.errors import PosternError

log = logging.getLogger(__name__)

# How old "last seen" in the database may be for other replicas and the command line: half a heartbeat.
SAVE_INTERVAL_S = 5.0


class Presence:
    """Live facts of the nodes connected here. Not thread-safe: used on the event loop only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._beats: dict[str, Beat] = {}
        self._unsaved: set[str] = set()
        self._connected: dict[str, int] = {}
        self._lost: dict[str, int] = {}

    def connected(self, node_id: str, generation: int) -> None:
        """A stream of the node is open."""
        self._connected[node_id] = generation
        self._lost.pop(node_id, None)

    def disconnected(self, node_id: str, generation: int) -> None:
        """That stream has ended; a newer one may be open."""
        if self._connected.get(node_id) == generation:
            del self._connected[node_id]
            self._lost[node_id] = generation

    def beat(self, beat: Beat) -> None:
        """A heartbeat came."""
        self._beats[beat.node_id] = beat
        self._unsaved.add(beat.node_id)

    def connection_lost(self, row: NodeRow) -> bool:
        """Whether the node's newest stream, here or at another replica, has ended."""
        return 0 < row.stream_generation == max(row.lost_generation, self._lost.get(row.id, 0))

    def lost(self) -> frozenset[str]:
        """The nodes whose connection here was lost a moment ago, which the database does not say yet."""
        return frozenset(self._lost)

    def overlay(self, row: NodeRow) -> NodeRow:
        """The row with what is newer in memory."""
        beat = self._beats.get(row.id)
        if beat is None or beat.stream_generation != row.stream_generation:
            return row
        if row.last_seen is not None and row.last_seen > beat.last_seen:
            return row
        return replace(
            row,
            last_seen=beat.last_seen,
            queue_percent=beat.queue_percent,
            outbox_rows=beat.outbox_rows,
            outbox_oldest_s=beat.outbox_oldest_s,
            fallbacks=beat.fallbacks,
            disk_free_percent=beat.disk_free_percent,
        )

    async def save(self) -> None:
        """Write unsaved heartbeats and ends of streams. Raises StoreUnavailable; they stay unsaved then."""
        taken = {node_id: self._beats[node_id] for node_id in self._unsaved}
        lost = dict(self._lost)
        if not taken and not lost:
            return

        def write(connection: sa.Connection) -> None:
            hold(connection, {*taken, *lost})
            save_beats(connection, taken.values())
            save_lost(connection, lost)

        await self._database.run(write)
        self._unsaved -= {node_id for node_id, beat in taken.items() if self._beats[node_id] is beat}
        self._lost = {node: ended for node, ended in self._lost.items() if lost.get(node) != ended}

    async def keep_saving(self) -> None:
        """Save at intervals, for ever. A database that is away for a while is said once a time, and tried again."""
        while True:
            await asyncio.sleep(SAVE_INTERVAL_S)
            try:
                await self.save()
            except PosternError as error:
                log.warning("heartbeats not saved", extra={"code": error.code})
