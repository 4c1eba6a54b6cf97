"""The real console, its real store and login, over nodes in states that a test names. The journey with a real node that
enrols is in the integration tier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from playwright.async_api import Page

import cloud_sync.console
from cloud_sync.app import control_plane, utc_now
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.console.site import OPEN_PATHS, Services, console_app
from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.views import AuditView, CountView, FleetView, ModelView, NodeView
from cloud_sync.folder import create_folder, load_identities
from core.webshell.pages import Pages
from core.webshell.shell import ShellSettings, WebShell

NAME, PASSWORD = "ada", "a gate in a long wall"
_ENROLLED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LIVE_NODE = NodeView(
    id="harbour-street-k3f9", site="Harbour Street Clinic", name="Front desk", group="default", state="live",
    state_text="Connected; last heard from 3 s ago.", enrolled_at=_ENROLLED, revoked_at=None, first_seen=_ENROLLED,
    last_seen=_ENROLLED, certificate_expires=_ENROLLED + timedelta(days=365), software_version="0.1.0",
    models=(ModelView("all-minilm-l6-v2", "0.1.0", "onnxruntime", "CPU"),), queue_percent=10, outbox_rows=0,
    outbox_oldest_s=None, devices_online=2, documents=27, chunks=143, fallbacks=(), turns_today=1284,
    desired_generation=4, observed_generation=4, applied_generation=4, config_state="current",
    config_text="Up to date (generation 4).", rejected_field="", rejected_reason="",
)  # fmt: skip
LATE_NODE = replace(
    LIVE_NODE, id="mill-lane-77qd", site="Mill Lane Surgery", name="Reception", state="late", outbox_rows=12,
    state_text="Missed its last heartbeats; last heard from 41 s ago.", outbox_oldest_s=95, turns_today=None,
    fallbacks=("encoder: CUDA asked, CPU serves",), config_state="pending", devices_online=1,
    config_text="Generation 5 is on its way; the node runs generation 4.",
)  # fmt: skip
OFFLINE_NODE = replace(
    LIVE_NODE, id="north-quay-p02x", site="North Quay Hospital", name="Ward 3 kiosk", state="offline", outbox_rows=None,
    state_text="Not connected since yesterday.", queue_percent=None, devices_online=None, turns_today=None, models=(),
    config_state="rejected", config_text="Rejected generation 5: answer.mode: no generator is installed.",
)  # fmt: skip
NEW_NODE = replace(
    OFFLINE_NODE, id="elm-road-a81c", site="Elm Road Bank", name="Branch hall", state="new", first_seen=None,
    last_seen=None, state_text="Enrolled; it has not connected yet.", software_version="", config_state="none",
    config_text="Nothing set.", documents=None, chunks=None,
)  # fmt: skip
NODES = (OFFLINE_NODE, LATE_NODE, LIVE_NODE, NEW_NODE)
COUNTS = (
    CountView("turns", 1284),
    CountView("turns.route.answer", 1190),
    CountView("turns.route.handoff", None),
)


@dataclass
class ScriptedFleet:
    """What the overview says; a test changes it while the page is open."""

    nodes: tuple[NodeView, ...] = ()
    audit: tuple[AuditView, ...] = ()
    seen_s_ago: dict[str, int] = field(default_factory=lambda: {"live": 3, "late": 41, "offline": 93_000})

    async def fleet(self) -> FleetView:
        nodes = tuple(self._as_of_now(node) for node in self.nodes)
        states = [node.state for node in nodes]
        counts = {state: states.count(state) for state in ("live", "late", "offline", "new", "revoked")}
        turns = sum(node.turns_today or 0 for node in nodes) or None
        return FleetView(nodes=nodes, total=len(nodes), turns_today=turns, **counts)

    async def node(self, node_id: str) -> tuple[NodeView, tuple[CountView, ...]]:
        return self._as_of_now(next(node for node in self.nodes if node.id == node_id)), COUNTS

    async def audit_of(self, node_id: str) -> tuple[AuditView, ...]:
        return (AuditView(_ENROLLED, NAME, "node.enrolled", node_id, "with a code made by ada"), *self.audit)

    async def ready(self) -> None:
        return

    def _as_of_now(self, node: NodeView) -> NodeView:
        ago = self.seen_s_ago.get(node.state)
        return node if ago is None else replace(node, last_seen=utc_now() - timedelta(seconds=ago))


@dataclass(frozen=True)
class Console:
    url: str
    fleet: ScriptedFleet
    claim_code: str

    async def claim(self, page: Page) -> None:
        """Make the first administrator through the page."""
        await page.goto(f"{self.url}/claim")
        await page.get_by_label("Claim code").fill(self.claim_code)
        await page.get_by_label("Your name").fill(NAME)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_label("The same password again").fill(PASSWORD)
        await page.get_by_role("button", name="Claim").click()
        await page.get_by_role("heading", name="Fleet").wait_for()


@asynccontextmanager
async def scripted_console(folder: Path, fleet: ScriptedFleet | None = None) -> AsyncIterator[Console]:
    """Serve the console from a new folder on a free port."""
    paths, fleet = CloudPaths(folder), fleet or ScriptedFleet()
    create_folder(paths, "Harbour Health Group", "", utc_now())
    settings = load_settings(paths)
    async with control_plane(paths, settings, load_identities(paths)) as plane:
        code = await plane.accounts.issue_claim()
        assert code is not None
        shell = ShellSettings(
            product="Postern control plane", organisation=settings.organisation, place="this control plane",
            program="postern-cloud run", version="0.1.0", secure=False, cookie="postern-cloud", open_paths=OPEN_PATHS,
            behind_proxy=False,
        )  # fmt: skip
        pages = Pages(Path(cloud_sync.console.__file__).parent, "console", utc_now)
        overview = cast(Overview, fleet)
        services = Services(
            overview, plane.enrolment, plane.steering, plane.metrics, plane.shares, "cloud.example:8092"
        )
        runner = web.AppRunner(
            console_app(services, WebShell(shell, plane.accounts, pages)), shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            address: Any = runner.addresses[0]
            yield Console(f"http://127.0.0.1:{address[1]}", fleet, code)
        finally:
            await runner.cleanup()
