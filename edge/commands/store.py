"""`postern store …`: arguments → one call. No logic."""

from __future__ import annotations

from dataclasses import asdict

import typer

from edge.commands.terminal import Json, Site, write

store = typer.Typer(no_args_is_help=True, help="The site's store.")


@store.callback()
def _group() -> None:
    """One command is no reason to leave out its name."""


@store.command("compact")
def store_compact(site: Site, as_json: Json = False) -> None:
    """Write the store anew, so that free pages go back to the disk. The node must not be running."""
    from edge.config import site_paths
    from edge.store.compacting import compact
    from models.progress import on_terminal

    with on_terminal() as report:
        done = compact(site_paths(site), report)
    saved = (done.before - done.after) / 1e6
    write(
        asdict(done), as_json, f"The store has {done.after / 1e6:,.1f} MB: {saved:,.1f} MB were given back."
    )
