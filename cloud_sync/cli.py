"""`postern-cloud`: arguments → settings → one call → one answer on stdout. No logic, and nothing else on stdout."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloud_sync.commands.admins import app as admin_app
from cloud_sync.commands.alerts import app as alert_app
from cloud_sync.commands.command_line import (
    ACTOR,
    Dir,
    Json,
    answer,
    database_address,
    with_plane,
    write_line,
)
from cloud_sync.commands.ray import app as ray_app
from cloud_sync.commands.recovery import backup, restore
from cloud_sync.commands.registry import add_to as add_registry
from cloud_sync.commands.rollouts import app as rollout_app
from cloud_sync.commands.steering import add_to as add_steering
from cloud_sync.commands.witness import app as witness_app
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.console.queries import AuditQuery
from cloud_sync.fleet.telemetry_export import Exported
from cloud_sync.fleet.views import NodeView
from cloud_sync.folder import create_folder
from cloud_sync.open_files import raise_limit
from cloud_sync.overflow.shares import OverflowView
from cloud_sync.services import ControlPlane, utc_now
from cloud_sync.store.audit import AuditFilter
from core.errors import ConfigError, PosternError
from core.logs import log_to_stderr
from models.daemon_thread import calls_left

if TYPE_CHECKING:
    from cloud_sync.rpc.handshakes import Handshakes

# What one command may print; the console takes out all of them.
AUDIT_ROWS_MAX = 10_000

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
codes_app = typer.Typer(no_args_is_help=True, help="One-time codes with which nodes join.")
node_app = typer.Typer(no_args_is_help=True, help="The nodes of the fleet.")
overflow_app = typer.Typer(no_args_is_help=True, help="Answers that are written in place of nodes.")
audit_app = typer.Typer(no_args_is_help=True, help="Who changed or was refused what.")
telemetry_app = typer.Typer(no_args_is_help=True, help="Counts that nodes told.")
app.add_typer(audit_app, name="audit")
app.add_typer(telemetry_app, name="telemetry")
app.add_typer(codes_app, name="enroll-code")
app.add_typer(node_app, name="node")
app.add_typer(overflow_app, name="overflow")
app.add_typer(ray_app, name="ray")
add_registry(app)
add_steering(app, node_app)
app.add_typer(rollout_app, name="rollout")
app.add_typer(admin_app, name="admin")
app.add_typer(alert_app, name="alert")
app.add_typer(witness_app, name="witness")
app.command()(backup)
app.command()(restore)


@app.callback()
def _root() -> None:
    """The control plane of a fleet of Postern nodes."""


@app.command()
def init(
    directory: Dir,
    organisation: Annotated[
        str, typer.Option(help="Who operates the fleet; shown on every page.")
    ] = "Postern",
    database: Annotated[str, typer.Option(help="A file with postgresql://…; -: stdin; none: SQLite.")] = "",
    as_json: Json = False,
) -> None:
    """Create a control plane's folder: settings, keys, store."""
    paths = CloudPaths(directory)
    create_folder(paths, organisation, database_address(database), utc_now())
    asyncio.run(with_plane(paths, _nothing))
    answer({"dir": str(directory), "config": str(paths.config)}, as_json, f"Created {directory}.")


@app.command()
def run(directory: Dir) -> None:
    """Serve until interrupted; the first line on stdout says where."""
    from cloud_sync.rpc.handshakes import Handshakes, read_stderr

    # At any other level than its usual one, gRPC does not say which handshakes it refused.
    os.environ.pop("GRPC_VERBOSITY", None)
    handshakes = Handshakes()
    read_stderr(handshakes.refused)
    log_to_stderr("cloud")
    raise_limit()
    asyncio.run(_serve(CloudPaths(directory), handshakes))
    if calls_left():  # a model's, which hangs: the process would not end before it
        os._exit(0)


@codes_app.command("new")
def code_new(
    directory: Dir, site: Annotated[str, typer.Option(help="The site it is for.")] = "", as_json: Json = False
) -> None:
    """Issue a one-time code."""
    endpoint_settings = load_settings(CloudPaths(directory)).enrolment
    endpoint = f"{endpoint_settings.public_host}:{endpoint_settings.port}"
    code = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: plane.enrolment.new_code(site, ACTOR, endpoint))
    )
    text = (
        f"{code.code}\n\nValid until {code.expires_at:%Y-%m-%d %H:%M UTC}, once. At the site:\n{code.command}"
    )
    answer({"code": code.code, "expires_at": code.expires_at, "site": code.site}, as_json, text)


@node_app.command("list")
def node_list(directory: Dir, as_json: Json = False) -> None:
    """Every node, troubled ones first."""
    nodes = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.overview.list_nodes()))
    answer([dataclasses.asdict(node) for node in nodes], as_json, _node_table(nodes))


@node_app.command("show")
def node_show(node: str, directory: Dir, as_json: Json = False) -> None:
    """One node, its counts of the last day, what of its outbox will never come, its ledgers and audit trail."""

    async def look(plane: ControlPlane) -> dict[str, Any]:
        view, counts = await plane.overview.node(node)
        audit = await plane.overview.audit_of(node)
        gaps = await plane.overview.gaps_of(node)
        ledgers = await plane.overview.ledgers_of(node)
        return dataclasses.asdict(view) | {
            "counts": {count.name: count.total for count in counts},
            "gaps": [dataclasses.asdict(gap) for gap in gaps],
            "ledgers": [dataclasses.asdict(ledger) for ledger in ledgers],
            "audit": [dataclasses.asdict(row) for row in audit],
        }

    found = asyncio.run(with_plane(CloudPaths(directory), look))
    answer(found, as_json, "\n".join(f"{name}: {value}" for name, value in found.items()))


@node_app.command("revoke")
def node_revoke(node: str, directory: Dir, as_json: Json = False) -> None:
    """Refuse a node from now on; an open connection of it ends within a second."""
    revoked = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.steering.revoke(node, ACTOR)))
    text = f"{node} is revoked." if revoked else f"{node} was revoked before."
    answer({"node": node, "revoked": True, "changed": revoked}, as_json, text)


@node_app.command("replace")
def node_replace(node: str, directory: Dir, as_json: Json = False) -> None:
    """A one-time code that gives another machine this node's place; once it is spent, the old one is refused."""
    endpoint_settings = load_settings(CloudPaths(directory)).enrolment
    endpoint = f"{endpoint_settings.public_host}:{endpoint_settings.port}"
    code = asyncio.run(
        with_plane(
            CloudPaths(directory), lambda plane: plane.enrolment.replacement_code(node, ACTOR, endpoint)
        )
    )
    text = f"{code.code}\n\nValid until {code.expires_at:%Y-%m-%d %H:%M UTC}, once. On the new machine:\n{code.command}"
    made = {"code": code.code, "expires_at": code.expires_at, "site": code.site, "node": node}
    answer(made, as_json, text)


@overflow_app.command("show")
def overflow_show(directory: Dir, as_json: Json = False) -> None:
    """Providers, their shares and costs of today and of 30 days, and which nodes had answers."""
    view = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.shares.view()))
    answer(dataclasses.asdict(view), as_json, _overflow_table(view))


@audit_app.command("search")
def audit_search(
    directory: Dir,
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    action: Annotated[str, typer.Option(help="What: a code, or its first part, such as node.")] = "",
    subject: Annotated[str, typer.Option(help="Of what: a node, a rollout, an admin.")] = "",
    text: Annotated[str, typer.Option(help="Part of the subject or the detail.")] = "",
    since: Annotated[str, typer.Option(help="First day, UTC: 2026-03-01.")] = "",
    until: Annotated[str, typer.Option(help="Last day, UTC.")] = "",
    rows: Annotated[int, typer.Option(min=1, max=AUDIT_ROWS_MAX, help="How many, at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Rows of audit that fit, newest first: changes, logins, and what was refused."""
    wanted = AuditFilter(actor, action, subject, text, *_days(since, until))
    found = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: plane.overview.search_audit(wanted, rows_max=rows))
    )
    lines = (
        f"{row.at:%Y-%m-%d %H:%M:%S}  {row.actor:20} {row.action:18} {row.subject} {row.detail}"
        + (f" (\u00d7{row.count})" if row.count > 1 else "")
        for row in found.rows
    )
    answer([dataclasses.asdict(row) for row in found.rows], as_json, "\n".join(lines))


@telemetry_app.command("export")
def telemetry_export(
    directory: Dir,
    out: Annotated[Path, typer.Option(help="The folder of the files; made if it is not there.")],
    since: Annotated[str, typer.Option(help="First day, UTC; none: 90 days back.")] = "",
    as_json: Json = False,
) -> None:
    """Write finished days of counts as Parquet, a folder a day; days that are there and unchanged are left."""
    first, _ = _days(since, "")
    day = first.date() if first else None

    async def export(plane: ControlPlane) -> Exported:
        return await plane.telemetry.export(out, day)

    found = asyncio.run(with_plane(CloudPaths(directory), export))
    text = f"{len(found.days)} days with {found.rows} rows written to {out}, {found.unchanged} unchanged."
    answer(dataclasses.asdict(found), as_json, text)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command's entry: every error says what happened and what to do."""
    try:
        app(args=None if arguments is None else list(arguments))
    except PosternError as error:
        _complain(error)
        raise SystemExit(int(error.exit_code)) from None


async def _nothing(_: ControlPlane) -> None:
    return None


async def _serve(paths: CloudPaths, handshakes: Handshakes) -> None:
    # Here, because gRPC and the web server take half a second that no other command needs.
    from cloud_sync.app import Ready, serve, stop_on_signals

    stop = asyncio.Event()
    stop_on_signals(stop)

    def on_ready(ready: Ready, claim_code: str | None) -> None:
        write_line({"event": "ready", **dataclasses.asdict(ready)})
        if claim_code is not None:
            text = f"Nobody has claimed this control plane. Open {ready.url}claim and enter {claim_code}"
            Console(stderr=True, highlight=False, soft_wrap=True).print(text)

    await serve(paths, stop, on_ready, handshakes)


def _complain(error: PosternError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]{error.title}.[/]", end=" ")
    console.print(f"{error.detail}\nWhat to do: {error.remedy}", markup=False)


def _days(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """The beginning of the first day and the end of the last. Raises ConfigError for what is no day."""
    query = AuditQuery.read({"since": since, "until": until})
    if (query.since, query.until) != (since, until):
        raise ConfigError("since and until are days.", remedy="Write them as 2026-03-01.")
    return query.filter.since, query.filter.until


def _node_table(nodes: Sequence[NodeView]) -> Table:
    table = Table("node", "site", "state", "version", "configuration", "queue", "outbox", box=None)
    for node in nodes:
        queue = "" if node.queue_percent is None else f"{node.queue_percent} %"
        outbox = "" if node.outbox_rows is None else str(node.outbox_rows)
        table.add_row(node.id, node.site, node.state, node.software_version, node.config_text, queue, outbox)
    return table


def _overflow_table(view: OverflowView) -> Table:
    title = None if view.enabled else "Off: overflow.enabled in cloud.toml"
    table = Table(
        "provider",
        "today",
        "share",
        "failed",
        "cost",
        "budget left",
        "30 days",
        "cost",
        title=title,
        box=None,
    )
    for one in view.providers:
        share = "" if one.today.share is None else f"{one.today.share:.0%}"
        left = "" if one.budget_left is None else f"{one.budget_left:.2f}"
        today, month = one.today, one.month
        table.add_row(
            one.name, str(today.answers), share, str(today.failures), f"{today.cost:.2f} {view.currency}", left,
            str(month.answers), f"{month.cost:.2f} {view.currency}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
