"""`postern updates`: arguments → one call. No logic."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from core.update_figures import figure_texts
from edge.commands.terminal import Json, Site, operate_on, write

updates = typer.Typer(no_args_is_help=True, help="Models, documents and policies from the control plane.")


class Kind(StrEnum):
    """What came."""

    MODEL = "model"
    KNOWLEDGE = "knowledge"
    POLICY = "policy"
    SOFTWARE = "software"


@updates.command("show")
def updates_show(site: Site, as_json: Json = False) -> None:
    """What came, how far it is, and what was measured here; newest first."""
    found = operate_on(site, "updates.show", {})
    write(found, as_json, "\n".join(map(_line, found)) or "No update has come.")


@updates.command("remove")
def updates_remove(
    site: Site,
    kind: Annotated[Kind, typer.Argument(help="policy or knowledge; models and software are replaced.")],
    name: Annotated[str, typer.Argument(help="As in postern updates show.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Of a policy: more text may leave without it, and that is meant.")
    ] = False,
    gone: Annotated[
        bool,
        typer.Option(
            "--gone", help="The control plane is no more, or has revoked this node: it wants nothing."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Take off what was kept and the control plane wants no more: a policy, or a pack with its documents."""
    found = operate_on(site, "updates.remove", {"update": [kind.value, name], "yes": yes, "gone": gone})
    what = "/".join(filter(None, (found["kind"], found["name"], found["version"])))
    holds = (
        " What the site has signed itself holds, with other policies that came."
        if kind is Kind.POLICY
        else ""
    )
    write(found, as_json, f"{what} is taken off.{holds}")


def _line(one: dict[str, Any]) -> str:
    where = one["state"] if one["state"] != "running" else one["step"]
    why = f" ({one['reason']})" if one["reason"] else ""
    return "; ".join([f"{one['kind']}/{one['name']}/{one['version']}: {where}{why}", *figure_texts(one)])
