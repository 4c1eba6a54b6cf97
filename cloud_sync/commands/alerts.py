"""`postern-cloud alert`: arguments → one call → one answer. No logic."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.fleet.alerts.deliveries import WebhookFailed
from cloud_sync.fleet.alerts.service import AlertView
from cloud_sync.store.alerts import AlertFilter

app = typer.Typer(no_args_is_help=True, help="What an admin must look at.")


@app.command("list")
def list_(
    directory: Dir,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    node: Annotated[str, typer.Option(help="Only of one node.")] = "",
    as_json: Json = False,
) -> None:
    """Open alerts, the newest first."""
    wanted = AlertFilter(open_only=not everything, subject=node)
    views = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.alerts.list(wanted)))
    answer([dataclasses.asdict(view) for view in views], as_json, _table(views))


@app.command()
def ack(
    alert: int,
    directory: Dir,
    note: Annotated[str, typer.Option(help="What is done about it.")] = "",
    as_json: Json = False,
) -> None:
    """Look after an alert; that of an event ends with it."""
    view = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: plane.alerts.acknowledge(alert, ACTOR, note))
    )
    answer(dataclasses.asdict(view), as_json, f"Alert {view.id} is {view.state}: {view.acknowledged_by}.")


@app.command()
def silence(
    scope: Annotated[str, typer.Argument(help="all, node:ID, group:NAME or site:NAME.")],
    directory: Dir,
    hours: Annotated[float, typer.Option(help="How long.")] = 4.0,
    kind: Annotated[str, typer.Option(help="Only of one kind.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Have nobody told of alerts for a while; they are raised and shown all the same."""
    view = asyncio.run(
        with_plane(
            CloudPaths(directory),
            lambda plane: plane.alerts.silence(scope, timedelta(hours=hours), ACTOR, kind, reason),
        )
    )
    text = f"Silence {view.id}: {view.kind or 'every kind'} of {view.scope} until {view.until:%Y-%m-%d %H:%M} UTC."
    answer(dataclasses.asdict(view), as_json, text)


@app.command()
def silences(directory: Dir, as_json: Json = False) -> None:
    """Silences that last."""
    views = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.alerts.silences()))
    table = Table("silence", "scope", "kind", "until", "by", "reason", box=None)
    for view in views:
        until = f"{view.until:%Y-%m-%d %H:%M}"
        table.add_row(str(view.id), view.scope, view.kind or "every", until, view.created_by, view.reason)
    answer([dataclasses.asdict(view) for view in views], as_json, table)


@app.command()
def unsilence(silence: int, directory: Dir, as_json: Json = False) -> None:
    """End a silence now."""
    asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.alerts.end_silence(silence, ACTOR)))
    answer({"silence": silence, "ended": True}, as_json, f"Silence {silence} is over.")


@app.command("try")
def try_(directory: Dir, as_json: Json = False) -> None:
    """Send each webhook a message of type `alerts.test` now."""
    answers = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.deliveries.try_out()))
    text = "\n".join(f"{name}: {error or 'took it.'}" for name, error in answers) or "No webhook is set."
    answer([{"webhook": name, "error": error} for name, error in answers], as_json, text)
    failed = [name for name, error in answers if error]
    if failed:
        raise WebhookFailed(f"Not taken by {', '.join(failed)}.")


def _table(views: Sequence[AlertView]) -> Table:
    table = Table("alert", "kind", "severity", "of", "site", "since", "state", "detail", box=None)
    for view in views:
        state = f"{view.state}, silenced" if view.silenced else view.state
        since = f"{view.opened_at:%Y-%m-%d %H:%M}"
        table.add_row(
            str(view.id), view.kind, view.severity, view.subject, view.site, since, state, view.detail
        )
    return table
