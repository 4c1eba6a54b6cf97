"""A control plane that refuses a row for good: the node keeps a dead letter, and the line goes on."""

from __future__ import annotations

import json
from pathlib import Path

from sqlite_utils import Database

from edge.config import SitePaths
from edge.store.outbox import OutboxClass, append
from postern.v1 import sync_pb2
from tests.contract.courier_process import CourierProcess, ScriptedCloud, scripted_cloud, until
from tests.integration.sync.rig import running_node

ROWS, POISON = 40, 7


class RefusingCloud(ScriptedCloud):
    """Takes rows one after the other, but never row POISON as it was; passes over what was on its way meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[sync_pb2.OutboxRow] = []
        self.refused = 0

    async def Upload(self, request_iterator, context):
        async for frame in request_iterator:
            if frame.WhichOneof("frame") == "upload_open":
                yield self._ready()
                continue
            batch = frame.outbox_batch
            if batch.rows[0].sequence != len(self.taken) + 1:
                continue
            for row in batch.rows:
                if row.sequence == POISON and row.kind != "outbox.refused":
                    self.refused += 1
                    nack = sync_pb2.OutboxNack(epoch=batch.epoch, sequence=POISON, code="schema")
                    yield sync_pb2.UploadResponse(outbox_nack=nack)
                    break
                self.taken.append(row)
            else:
                ack = sync_pb2.OutboxAck(
                    epoch=batch.epoch,
                    committed_sequence=len(self.taken),
                    credit_rows=4096,
                    credit_bytes=1 << 20,
                )
                yield sync_pb2.UploadResponse(outbox_ack=ack)

    def _ready(self) -> sync_pb2.UploadResponse:
        ready = sync_pb2.UploadReady(
            committed_sequence=len(self.taken), batch_rows_max=5, credit_rows=4096, credit_bytes=1 << 20
        )
        return sync_pb2.UploadResponse(upload_ready=ready)


def _fill(db: Database) -> None:
    for number in range(1, ROWS + 1):
        append(db, OutboxClass.STATE, "knowledge.changed", {"documents": number, "chunks": 0})


def _letters(db: Database) -> list[dict[str, object]]:
    rows = db.execute("SELECT value FROM meta WHERE name LIKE 'dead_letter/%'").fetchall()
    return [json.loads(row[0]) for row in rows]


async def test_a_row_that_is_refused_for_good_holds_up_nothing(paths: SitePaths, tmp_path: Path) -> None:
    async with scripted_cloud(paths, RefusingCloud()) as cloud:
        courier = CourierProcess(paths)
        await courier.start()
        try:
            async with running_node(paths) as node:
                await node.store.write(_fill)
                node.sync.notify()
                await until(lambda: len(cloud.taken) >= ROWS)
                letters = await node.store.read(_letters)
        finally:
            await courier.stop()
    numbers = [json.loads(row.payload).get("documents") for row in cloud.taken]
    assert numbers == [number if number != POISON else None for number in range(1, ROWS + 1)]
    assert [row.sequence for row in cloud.taken] == list(range(1, ROWS + 1))
    assert cloud.refused == 1
    assert json.loads(cloud.taken[POISON - 1].payload)["reason"] == "schema"
    assert [(letter["kind"], letter["reason"]) for letter in letters] == [("knowledge.changed", "schema")]
