"""A control plane in this process whose clock is the test's, and what became of a site's certificate there.

TLS goes by the machine's own clock, so that ours start in the past: what they call the end of a certificate is then
one for TLS, too.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloud_sync.app import Ready, serve
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane
from edge.config import SitePaths
from edge.egress.identity import identity
from edge.egress.identity.identity import Identity
from edge.sync.enrolment import enrol
from tests.ports import free_port

VALID = timedelta(days=90)


@dataclass
class Clock:
    """Of all three; behind the machine's."""

    behind: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) - self.behind

    def unix_s(self) -> float:
        return time.time() - self.behind.total_seconds()


@dataclass
class Cloud:
    paths: CloudPaths
    clock: Clock
    ready: Ready | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ControlPlane]:
        stop, told = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(self.paths, stop, lambda ready, _: told.set_result(ready), clock=self.clock.now)
        )
        self.ready = await asyncio.wait_for(told, 30)
        settings, identities = load_settings(self.paths), load_identities(self.paths)
        try:
            async with control_plane(self.paths, settings, identities, self.clock.now) as plane:
                yield plane
        finally:
            stop.set()
            await serving

    async def enrol(self, plane: ControlPlane, paths: SitePaths) -> None:
        assert self.ready is not None
        code = await plane.enrolment.new_code("Clinic", "test", self.ready.enrolment)
        await enrol(paths, self.ready.enrolment, code.code)


def clocked_cloud(folder: Path, clock: Clock) -> Cloud:
    """Made long ago; its nodes' certificates are good for VALID."""
    paths = CloudPaths(folder)
    create_folder(paths, "Test", "", datetime.now(UTC) - 2 * VALID)
    text = paths.config.read_text()
    for port in ("8090", "8091", "8092"):
        text = re.sub(rf"^port = {port}$", f"port = {free_port()}", text, flags=re.MULTILINE)
    text += f"\n[identity]\nnode_certificate_days = {VALID.days}\n"
    text += f"[retention]\nrecords_days = {4 * VALID.days}\n"  # what came before a node was away is still to be read
    paths.config.write_text(text)
    return Cloud(paths, clock)


def mine(paths: SitePaths) -> Identity:
    found = identity.load(paths.courier)
    assert found is not None
    return found


async def actions(plane: ControlPlane, node_id: str) -> list[str]:
    return [row.action for row in reversed(await plane.overview.audit_of(node_id))]
