"""Nodes of a rollout over the real wire: mutual TLS, a stream and an upload each, and the steps that a script says.

What each was told, and when, is what arrived in its own stream; nobody asks the control plane.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any

from postern.v1 import sync_pb2
from tests.integration.cloud_sync.fleet_node import Link, TestNode, row

GOOD = ("fetch begun", "fetch done", "verify done", "stage done", "gate done", "activate done", "watch begun")
KEEPS = ("watch done", "keep done")
# Every process is well, every check of the machine is green; the answers are wrong, and the node sees that.
GOES_BACK = ("watch failed quality", "roll_back begun quality", "roll_back done quality")
HEARTBEAT_S = 5.0
# Each watches for so long, seconds: nodes differ.
WATCH_S = (0.1, 0.6)


class WiredNode:
    """One node. `wrong`: versions whose answers are wrong."""

    def __init__(self, node: TestNode, wrong: set[str], seed: int = 0) -> None:
        self.id = node.id
        self.told: dict[str, float] = {}
        """Version → when it was told to run it."""
        self.untold: dict[str, float] = {}
        """Version → when it was told so no more."""
        self.failed: dict[str, float] = {}
        """Version → when the control plane had acknowledged that it went back."""
        self._link = Link(node)
        self._wrong = wrong
        self._chance = random.Random(f"{seed}/{node.id}")
        self._seq = 0

    async def live(self) -> None:
        """Until cancelled, or the stream ends."""
        async with self._link:
            await self._link.open()
            beating = asyncio.create_task(self._beat())
            try:
                while (frame := await self._next()) is not None:
                    if isinstance(frame, sync_pb2.DesiredState):
                        await self._obey(json.loads(frame.document).get("updates", []))
            finally:
                beating.cancel()

    async def _beat(self) -> None:
        """A node that says nothing for long is taken for dead."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._link.send(heartbeat=sync_pb2.Heartbeat())

    async def _next(self) -> Any:
        frame = await self._link.call.read()
        return getattr(frame, frame.WhichOneof("frame")) if hasattr(frame, "WhichOneof") else None

    async def _obey(self, updates: list[Mapping[str, str]]) -> None:
        now, wanted = time.monotonic(), {one["version"] for one in updates}
        for version in self.told.keys() - wanted - self.untold.keys():
            self.untold[version] = now
        for update in updates:
            if update["version"] in self.told:
                continue
            self.told[update["version"]] = now
            await self._tell(update, GOOD)
            await asyncio.sleep(self._chance.uniform(*WATCH_S))
            wrong = update["version"] in self._wrong
            await self._tell(update, GOES_BACK if wrong else KEEPS)
            if wrong:
                self.failed[update["version"]] = time.monotonic()

    async def _tell(self, update: Mapping[str, str], steps: tuple[str, ...]) -> None:
        """Rows, one a step; returns when they are acknowledged."""
        rows = []
        for text in steps:
            step, outcome, *reason = text.split()
            told = {name: update[name] for name in ("rollout", "kind", "name", "version")}
            payload = json.dumps(told | {"step": step, "outcome": outcome, "reason": "".join(reason)})
            self._seq += 1
            rows.append(row(self._seq, payload.encode(), "update.step"))
        await self._link.send_batch(rows)
        while True:
            frame = await self._link.receive_up()
            if isinstance(frame, sync_pb2.OutboxAck) and frame.committed_sequence >= self._seq:
                return
