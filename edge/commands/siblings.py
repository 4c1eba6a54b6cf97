"""`postern siblings`: arguments → one call. No logic."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edge.commands.terminal import Json, Site, operate_on, write

siblings = typer.Typer(
    no_args_is_help=True, help="Other nodes of the site, where conversations go on when this one dies."
)


@siblings.command("key")
def siblings_key(
    site: Site,
    new: Annotated[bool, typer.Option("--new", help="Another key in the place of the one there is.")] = False,
    as_json: Json = False,
) -> None:
    """The key that the site's nodes share: makes it where there is none, and says how it gets to the others."""
    found = operate_on(site, "siblings.key", {"new": new})
    write(found, as_json, _how(found))


def _how(found: dict[str, Any]) -> str:
    path = found["key_file"]
    lines = [f"{'Made' if found['made'] else 'There is'} {path}, fingerprint {found['fingerprint']}."]
    if not found["siblings"]:
        lines.append('Name the other nodes in site.toml: [siblings] urls = ["https://…"].')
    lines += [
        "Each node of the site needs this same file, and the others' addresses. Carry it over a way that you trust",
        f"(scp, a stick), readable by the node's user only: chmod go= {path}. Then start the nodes anew.",
        "Whether they have the same key: postern doctor.",
    ]
    return "\n".join(lines)
