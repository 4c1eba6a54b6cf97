"""The real console, its real store, login and services, over nodes in states that a test writes into the store. The
journey with a real node that enrols is in the integration tier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from playwright.async_api import Page

import cloud_sync.console
from cloud_sync.app import control_plane, utc_now
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.console.site import OPEN_PATHS, Services, console_app
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane
from cloud_sync.store.gaps import GapRow
from cloud_sync.store.nodes import ACTIVE, NodeRow
from cloud_sync.store.schema import alerts, gaps, nodes, telemetry
from core.webshell.pages import Pages
from core.webshell.shell import ShellSettings, WebShell
from tests.rollout_fleet import WRONG_BUT_HEALTHY, Fleet, Node, publish

NAME, PASSWORD = "ada", "a gate in a long wall"
_ENROLLED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_MODEL = {"name": "all-minilm-l6-v2", "version": "0.1.0", "runtime": "onnxruntime", "device": "CPU"}
# Of rows: how long ago a node was heard of is counted from the moment in which it is put into the store.
LIVE, LATE, OFFLINE = timedelta(seconds=3), timedelta(seconds=41), timedelta(hours=26)


@dataclass(frozen=True)
class Seen:
    """A node, and how long ago it was heard of; None: never."""

    row: NodeRow
    ago: timedelta | None
    turns: int = 0

    @property
    def id(self) -> str:
        return self.row.id


LIVE_NODE = Seen(
    NodeRow(
        id="harbour-street-k3f9", site="Harbour Street Clinic", name="Front desk", group_name="default", status=ACTIVE,
        certificate_fingerprint=b"1", certificate_expires=_ENROLLED + timedelta(days=365), enrolled_at=_ENROLLED,
        first_seen=_ENROLLED, software_version="0.1.0", models=(_MODEL,), queue_percent=10, outbox_rows=0,
        devices_online=2, documents=27, chunks=143, observed_generation=1, applied_generation=1,
        labels={"region": "south"},
    ), LIVE, 1284,
)  # fmt: skip
LATE_NODE = Seen(
    replace(
        LIVE_NODE.row, id="mill-lane-77qd", site="Mill Lane Surgery", name="Reception", certificate_fingerprint=b"2",
        outbox_rows=12, outbox_oldest_s=95, fallbacks=("encoder: CUDA asked, CPU serves",), devices_online=1,
        observed_generation=None, applied_generation=None, labels={"region": "north"},
    ), LATE,
)  # fmt: skip
OFFLINE_NODE = Seen(
    replace(
        LIVE_NODE.row, id="north-quay-p02x", site="North Quay Hospital", name="Ward 3 kiosk", outbox_rows=None,
        certificate_fingerprint=b"3", group_name="wards", queue_percent=None, devices_online=None, models=(),
        rejected_field="policy", rejected_reason="policy_looser", observed_generation=2,
        labels={},
    ), OFFLINE,
)  # fmt: skip
NEW_NODE = Seen(
    replace(
        LIVE_NODE.row, id="elm-road-a81c", site="Elm Road Bank", name="Branch hall", first_seen=None, models=(),
        certificate_fingerprint=b"4", group_name="banks", software_version="", queue_percent=None, outbox_rows=None,
        devices_online=None, documents=None, chunks=None, observed_generation=None, applied_generation=None, labels={},
    ), None,
)  # fmt: skip
NODES = (OFFLINE_NODE, LATE_NODE, LIVE_NODE, NEW_NODE)
DESIRED = b'{"answer_mode":"generative","heartbeat_s":20}'


def many_nodes(number: int) -> tuple[Seen, ...]:
    """A large fleet, all of it live."""
    return tuple(
        replace(
            LIVE_NODE,
            row=replace(
                LIVE_NODE.row, id=f"site-{index:04}", site=f"Site {index:04}", name=f"Desk {index:04}",
                certificate_fingerprint=index.to_bytes(4, "big"), outbox_rows=index,
                group_name="canary" if index < 5 else "default",
            ),
        )
        for index in range(number)
    )  # fmt: skip


@dataclass(frozen=True)
class Console:
    url: str
    plane: ControlPlane
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

    async def put(self, *fleet: Seen) -> None:
        """Have these nodes and no others."""
        now = utc_now()

        def write(connection: sa.Connection) -> None:
            for table in (alerts, gaps, telemetry, nodes):
                connection.execute(table.delete())
            connection.execute(nodes.insert(), [_values(seen, now) for seen in fleet])
            counts = [_turns(seen, now) for seen in fleet if seen.turns]
            counts += [row for seen in fleet[:3] for row in _week(seen, now)]
            if counts:
                connection.execute(telemetry.insert(), counts)

        await self.plane.database.run(write)

    async def put_alerts(self) -> None:
        """Have an alert in each state, and lost rows, of NODES."""
        now = utc_now()
        opened = {"opened_at": now - timedelta(hours=2), "last_true_at": now, "evidence": "", "note": ""}
        plain = opened | {
            "resolved_at": None,
            "acknowledged_at": None,
            "acknowledged_by": "",
            "told_at": None,
        }
        of = [
            ("offline", OFFLINE_NODE, "critical", "Last heard from at 2026-03-01 09:00 UTC.", {}),
            ("fallback", LATE_NODE, "warning", "encoder: CUDA asked, CPU serves", {}),
            ("gap", LATE_NODE, "critical", "rows 41 to 99 are with neither side",
             {"acknowledged_at": now, "acknowledged_by": NAME}),
            ("disk", LIVE_NODE, "critical", "0 to 9 % of its disk are free.", {"resolved_at": now}),
        ]  # fmt: skip
        rows = [
            plain | {"kind": kind, "subject": seen.id, "site": seen.row.site, "group_name": seen.row.group_name,
                     "severity": severity, "detail": detail,
                     "open_key": None if "resolved_at" in more else f"{kind} {seen.id}"} | more
            for kind, seen, severity, detail, more in of
        ]  # fmt: skip
        gap = GapRow(LATE_NODE.id, bytes(16), 41, 99, "metrics", "lost", None, now)

        def write(connection: sa.Connection) -> None:
            connection.execute(alerts.insert(), rows)
            connection.execute(gaps.insert().values(**vars(gap)))

        await self.plane.database.run(write)

    async def put_all_states(self) -> None:
        """Have NODES, of which one runs what is wanted, one not yet, and one refuses it."""
        await self.put(*NODES)
        for group in ("default", "wards"):
            await self.plane.steering.set_for_group(group, DESIRED, NAME)


async def nodes_of(console: Console, number: int) -> Fleet:
    """Live nodes that take what they are told badly: well by every sign but their answers."""
    seen = many_nodes(number)
    await console.put(
        *(replace(one, row=replace(one.row, certificate_fingerprint=one.id.encode())) for one in seen)
    )
    await console.plane.database.run(lambda c: publish(c, "model/encoder/1.0", "model/encoder/2.0"))
    plane, nodes = console.plane, {one.id: Node(one.id, {"2.0": WRONG_BUT_HEALTHY}) for one in seen}
    return Fleet(plane.database, utc_now, plane.steering, plane.driver, plane.rollouts, plane.intake, nodes)  # type: ignore[arg-type]


def _values(seen: Seen, now: datetime) -> dict[str, Any]:
    lists = {name: list(getattr(seen.row, name)) for name in ("fallbacks", "models")}
    return {**vars(seen.row), **lists, "last_seen": None if seen.ago is None else now - seen.ago}


def _turns(seen: Seen, now: datetime) -> dict[str, Any]:
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    hour = {"bucket_start": start, "bucket_seconds": 3600}
    return {"node_id": seen.id, "name": "turns.answer", "value": seen.turns, **hour}


def _week(seen: Seen, now: datetime) -> list[dict[str, Any]]:
    """Hours of a clinic's week, without those that may be of the last day: they would count as today's."""
    begin = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = (
        begin - timedelta(days=day) + timedelta(hours=hour) for day in range(2, 7) for hour in range(8, 18)
    )
    cells = {"turns.answer": 40, "turns.handoff": 6, "turn_seconds.0.5": 35, "turn_seconds.2.5": 10}
    return [
        {"node_id": seen.id, "name": name, "value": number + start.hour, "bucket_start": start, "bucket_seconds": 3600}
        for start in hours
        for name, number in cells.items()
    ]  # fmt: skip


@asynccontextmanager
async def scripted_console(folder: Path) -> AsyncIterator[Console]:
    """Serve the console from a new folder on a free port."""
    paths = CloudPaths(folder)
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
        services = Services(
            plane.overview,
            plane.alerts,
            plane.enrolment,
            plane.steering,
            plane.metrics,
            plane.shares,
            plane.rollouts,
            plane.vendor,
            "cloud.example:8092",
        )
        runner = web.AppRunner(
            console_app(services, WebShell(shell, plane.accounts, pages)), shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            address: Any = runner.addresses[0]
            yield Console(f"http://127.0.0.1:{address[1]}", plane, code)
        finally:
            await runner.cleanup()
