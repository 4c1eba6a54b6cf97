"""`postern trust`: arguments → one call. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.terminal import Json, Site, operate_on, write

trust = typer.Typer(no_args_is_help=True, help="Whose updates this node installs.")

Root = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Written by postern-cloud registry root.")
]
OptionalRoot = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The same with --director; without it, it stays."),
]


@trust.command("show")
def trust_show(site: Site, as_json: Json = False) -> None:
    """The roots in force: compare them with `postern-cloud registry list`."""
    found = operate_on(site, "trust.show", {})
    write(found, as_json, _lines(found))


@trust.command("set")
def trust_set(
    site: Site, vendor_root: Root, director_root: OptionalRoot = None, as_json: Json = False
) -> None:
    """Trust roots that somebody brought by hand, in the place of those from enrolment."""
    director = None if director_root is None else director_root.read_text(encoding="utf-8")
    found = operate_on(
        site, "trust.set", {"vendor": vendor_root.read_text(encoding="utf-8"), "director": director}
    )
    write(found, as_json, _lines(found))


def _lines(found: dict[str, Any]) -> str:
    lines = []
    for repository, root in found.items():
        said = "none" if root is None else f"SHA-256 {root['sha256']}, until {root['expires'][:10]}"
        lines.append(f"{repository}: {said}")
    return "\n".join(lines)
