"""`postern api-keys`: arguments → one call. No logic."""

from __future__ import annotations

from typing import Annotated

import typer

from edge.commands.operators import user
from edge.commands.terminal import Json, Site, local_time, operate_on, write
from edge.store.allowance import USUAL

api_keys = typer.Typer(no_args_is_help=True, help="Keys of programs that use this node's APIs.")

Name = Annotated[str, typer.Argument(help="Which program it is for, in one word.")]


@api_keys.command("list")
def api_keys_list(site: Site, as_json: Json = False) -> None:
    """All keys that work, then the last ones revoked."""
    found = operate_on(site, "api-keys.list", {})
    lines = [
        f"{k['name']:24} {' '.join(k['scopes']):32} made {local_time(k['created_ms'])}  "
        f"{'revoked' if k['revoked_ms'] else 'last used ' + (k['used_on'] or 'never')}"
        for k in found
    ]
    write(found, as_json, "\n".join(lines) or "No keys yet: postern api-keys new NAME --scope embeddings")


@api_keys.command("new")
def api_keys_new(
    site: Site,
    name: Name,
    scope: Annotated[
        list[str], typer.Option(help="embeddings, chat, inference, privacy or staff; more than once.")
    ],
    requests_per_minute: Annotated[int, typer.Option(min=1)] = USUAL.requests_per_minute,
    tokens_per_minute: Annotated[int, typer.Option(min=1)] = USUAL.tokens_per_minute,
    concurrent: Annotated[int, typer.Option(min=1, help="Requests at once.")] = USUAL.concurrent_max,
    as_json: Json = False,
) -> None:
    """Make a key; it is printed this once."""
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrent_max": concurrent,
    }
    found = operate_on(site, "api-keys.new", {"name": name, "scopes": scope, "actor": user(), **limits})
    notice = found["notice"]
    told = f"\n\nThe program must show this to whoever asks:\n\n{notice['text']}" if notice else ""
    write(found, as_json, f"{found['key']}\nIt is not shown again.{told}")


@api_keys.command("revoke")
def api_keys_revoke(site: Site, name: Name, as_json: Json = False) -> None:
    """Out of use at once."""
    found = operate_on(site, "api-keys.revoke", {"name": name, "actor": user()})
    write(found, as_json, f"{name} is revoked.")
