"""`postern-cloud rollout`: a published version to nodes, in waves that stop by themselves."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from cloud_sync.commands.admins import PasswordStdin, read_password
from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.fleet.rollouts.plan import Plan
from cloud_sync.fleet.rollouts.service import NODES_SHOWN_MAX
from cloud_sync.fleet.rollouts.spec import (
    DEFAULT_WATCH_S,
    DEFAULT_WAVES,
    Gates,
    InvalidRollout,
    Spec,
    parse_spec,
)
from cloud_sync.fleet.rollouts.views import RolloutDetail, RolloutView
from cloud_sync.services import ControlPlane
from core.webshell.accounts import NO_BROWSER, Visitor

app = typer.Typer(no_args_is_help=True, help="Versions on their way to nodes, in waves.")

_GATES = Gates()
Target = Annotated[str, typer.Argument(help="What was published: KIND/NAME/VERSION.")]
Group = Annotated[list[str] | None, typer.Option(help="Only nodes of this group; may be given again.")]
Label = Annotated[
    list[str] | None,
    typer.Option(help="Only nodes whose labels hold: key, !key, key=value, key!=value; may be given again."),
]
Waves = Annotated[
    str, typer.Option(help="Shares of the nodes in percent, each with those before; the first is the canary.")
]
Kept = Annotated[int, typer.Option(help="Percent of a wave that must keep it before the next begins.")]
Failed = Annotated[int, typer.Option(help="Percent of all nodes told that may fail; one more stops it.")]
Soak = Annotated[int, typer.Option(help="Seconds that a wave is left alone after it has passed.")]
Patience = Annotated[int, typer.Option(help="Seconds after which a wave that has not passed is paused.")]
Watch = Annotated[int, typer.Option(help="Seconds that each node watches it before it keeps it.")]
Start = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ"], help="Not before this time (UTC)."),
]


@app.command("plan")
def plan(
    target: Target,
    directory: Dir,
    group: Group = None,
    label: Label = None,
    waves: Waves = ",".join(map(str, DEFAULT_WAVES)),
    as_json: Json = False,
) -> None:
    """A dry run: who would get it in which wave, who would not, and whether a second person must agree."""
    spec = _spec(target, groups=group, labels=label, waves=waves)
    found = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.rollouts.plan(spec)))
    answer(dataclasses.asdict(found), as_json, _plan_table(found))


@app.command("create")
def create(
    target: Target,
    directory: Dir,
    group: Group = None,
    label: Label = None,
    waves: Waves = ",".join(map(str, DEFAULT_WAVES)),
    kept: Kept = _GATES.kept_min_percent,
    failed: Failed = _GATES.failed_max_percent,
    soak: Soak = _GATES.soak_s,
    patience: Patience = _GATES.patience_s,
    watch: Watch = DEFAULT_WATCH_S,
    start: Start = None,
    draft: Annotated[bool, typer.Option("--draft", help="Make it, but do not begin.")] = False,
    as_json: Json = False,
) -> None:
    """Roll a published version out; it begins at once unless it must wait for a time or a second person."""
    gates = {"kept_min_percent": kept, "failed_max_percent": failed, "soak_s": soak, "patience_s": patience}
    starts_at = start.replace(tzinfo=UTC) if start else None
    spec = _spec(
        target, groups=group, labels=label, waves=waves, gates=gates, watch_s=watch, starts_at=starts_at
    )
    _call(directory, lambda plane: plane.rollouts.create(spec, ACTOR, draft=draft), as_json)


@app.command("list")
def list_rollouts(
    directory: Dir,
    first: Annotated[int, typer.Option(min=0, help="Rollouts from this row on.")] = 0,
    as_json: Json = False,
) -> None:
    """Rollouts, the newest first, some at a time."""
    paths = CloudPaths(directory)
    page = asyncio.run(with_plane(paths, lambda plane: plane.rollouts.list_rollouts(first=first)))
    found = page.rollouts
    table = Table(
        Column("rollout", no_wrap=True), "what", "state", "wave", "nodes", "kept", "failed", box=None
    )
    for one in found:
        wave = f"{one.wave} of {len(one.waves)}"
        table.add_row(one.id, one.target, one.state, wave, str(one.nodes), str(one.kept), str(one.failed))
    answer([dataclasses.asdict(one) for one in found], as_json, table)


@app.command("show")
def show(
    rollout: str,
    directory: Dir,
    first: Annotated[int, typer.Option(min=0, help="Nodes from this row on.")] = 0,
    status: Annotated[str | None, typer.Option(help="Only nodes with this status.")] = None,
    as_json: Json = False,
) -> None:
    """One rollout: its waves, its nodes, who agreed."""
    found = asyncio.run(
        with_plane(
            CloudPaths(directory),
            lambda plane: plane.rollouts.show(rollout, first=first, nodes_max=NODES_SHOWN_MAX, status=status),
        )
    )
    answer(dataclasses.asdict(found), as_json, _detail_table(found))


@app.command("submit")
def submit(rollout: str, directory: Dir, as_json: Json = False) -> None:
    """Let a draft begin."""
    _call(directory, lambda plane: plane.rollouts.submit(rollout, ACTOR), as_json)


@app.command("approve")
def approve(
    rollout: str,
    directory: Dir,
    admin: Annotated[str, typer.Option(help="Whose account agrees; its password is asked for.")],
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Agree to a risky rollout, as somebody with an account who did not make it."""
    password = read_password(password_stdin)

    async def call(plane: ControlPlane) -> RolloutView:
        token = await plane.accounts.log_in(admin, password, Visitor(ACTOR, NO_BROWSER))
        await plane.accounts.log_out(token, admin)
        return await plane.rollouts.approve(rollout, admin)

    _call(directory, call, as_json)


@app.command("pause")
def pause(rollout: str, directory: Dir, as_json: Json = False) -> None:
    """Begin no further wave; nodes that were told go on."""
    _call(directory, lambda plane: plane.rollouts.pause(rollout, ACTOR), as_json)


@app.command("resume")
def resume(rollout: str, directory: Dir, as_json: Json = False) -> None:
    """Go on where it was paused."""
    _call(directory, lambda plane: plane.rollouts.resume(rollout, ACTOR), as_json)


@app.command("abort")
def abort(rollout: str, directory: Dir, as_json: Json = False) -> None:
    """End it; its nodes go back to what they had, where that is known and published."""
    _call(directory, lambda plane: plane.rollouts.abort(rollout, ACTOR), as_json)


def _call(directory: Any, call: Callable[[ControlPlane], Awaitable[RolloutView]], as_json: bool) -> None:
    view = asyncio.run(with_plane(CloudPaths(directory), call))
    answer(dataclasses.asdict(view), as_json, f"{view.id}: {view.state}. {view.state_text}")


def _spec(
    target: str, *, waves: str, groups: list[str] | None, labels: list[str] | None, **more: object
) -> Spec:
    """Raises InvalidRollout."""
    parts = target.split("/")
    if len(parts) != 3:
        raise InvalidRollout(f"{target} is not KIND/NAME/VERSION.")
    try:
        shares = tuple(int(share) for share in waves.split(","))
    except ValueError:
        raise InvalidRollout("Waves are whole numbers with commas between, as in 5,20,60,100.") from None
    named = dict(zip(("kind", "name", "version"), parts, strict=True))
    return parse_spec(
        {**named, "waves": shares, "groups": tuple(groups or ()), "labels": tuple(labels or ()), **more}
    )


def _plan_table(plan: Plan) -> Table:
    risks = " ".join(risk.text for risk in plan.risks)
    title = f"A second person must agree. {risks}" if risks else None
    table = Table("wave", "node", "site", "group", "now", "then", title=title, box=None)
    for one in plan.changes:
        wave, then = str(one.wave + 1), one.after if one.live else f"{one.after} (when it is back)"
        table.add_row(wave, one.node_id, one.site, one.group, one.before, then)
    for left in plan.left:
        table.add_row("", left.node_id, "", "", "", left.text)
    return table


def _detail_table(detail: RolloutDetail) -> Table:
    view = detail.rollout
    agreed = "".join(f" {one.admin} agreed." for one in detail.approvals)
    title = f"{view.target}: {view.state}. {view.state_text}{agreed}"
    table = Table("wave", "node", "site", "status", "step", "outcome", "why", title=title, box=None)
    for one in detail.nodes:
        table.add_row(str(one.wave), one.node_id, one.site, one.status, one.step, one.outcome, one.reason)
    return table
