"""`postern updates`: arguments → one call. No logic."""

from __future__ import annotations

from typing import Any

import typer

from edge.commands.terminal import Json, Site, operate_on, write

updates = typer.Typer(no_args_is_help=True, help="Models, documents and policies from the control plane.")


@updates.callback()
def _group() -> None:
    """Without a second command, typer would make `show` the group's only word."""


@updates.command("show")
def updates_show(site: Site, as_json: Json = False) -> None:
    """What came, how far it is, and what was measured here; newest first."""
    found = operate_on(site, "updates.show", {})
    write(found, as_json, "\n".join(map(_line, found)) or "No update has come.")


def _line(one: dict[str, Any]) -> str:
    figures = {
        "golden": one["golden_permille"],
        "agreement": one["agreement_permille"],
        "latency_us": one["latency_us"],
    }
    measured = " ".join(f"{name}={value}" for name, value in figures.items() if value is not None)
    where = one["state"] if one["state"] != "running" else one["step"]
    why = f" ({one['reason']})" if one["reason"] else ""
    return f"{one['kind']}/{one['name']}/{one['version']}: {where}{why} {measured}".rstrip()
