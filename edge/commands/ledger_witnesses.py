"""`postern ledger`, what concerns witnesses: arguments → one call. No logic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.terminal import Json, Site, write

Key = Annotated[str, typer.Option("--key", help="The witness's, as `postern-cloud witness key` shows it.")]
File = Annotated[Path, typer.Argument(dir_okay=False, help="On a stick, for instance.")]


def add_to(ledger: typer.Typer) -> None:
    """The commands."""
    ledger.command("key")(ledger_key)
    ledger.command("request")(ledger_request)
    ledger.command("cosign")(ledger_cosign)
    ledger.command("anew")(ledger_anew)


def ledger_key(site: Site, as_json: Json = False) -> None:
    """By which key the record's checkpoints are checked: for witnesses and auditors."""
    from edge.egress.ledger.reading import found
    from edge.egress.ledger.witnesses import vkey
    from edge.paths import existing_site

    key = vkey(found(existing_site(site)))
    write({"vkey": key}, as_json, key)


def ledger_request(
    file: File,
    site: Site,
    key: Key = "",
    from_: Annotated[
        int | None, typer.Option("--from", min=0, help="Leaves that the witness signed last.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what a witness of the customer's own is shown: the newest checkpoint, with its proof."""
    from edge.egress.ledger.reading import found
    from edge.egress.ledger.witnesses import write_request
    from edge.paths import existing_site

    old, size = write_request(found(existing_site(site)), file, key, from_)
    text = f"Wrote {file}: {size} leaves, proven from {old}."
    write({"file": str(file), "from": old, "size": size}, as_json, text)


def ledger_cosign(
    file: File,
    site: Site,
    key: Key,
    lines: Annotated[
        Path | None,
        typer.Option("--lines", dir_okay=False, help="What a witness answered over HTTP to FILE."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep a witness's signature: FILE.cosigned as it came back, or FILE with what was answered."""
    from edge.egress.ledger.reading import found
    from edge.egress.ledger.witnesses import take_cosigned
    from edge.paths import existing_site

    size = take_cosigned(found(existing_site(site)), file, lines, key)
    write({"size": size}, as_json, f"{size} leaves are signed by this witness.")


def ledger_anew(site: Site, as_json: Json = False) -> None:
    """Set aside what is there of a record that was refused, damaged or lost, and let another begin; the courier must be
    stopped."""
    from edge.egress.ledger.anew import set_aside
    from edge.paths import existing_site

    target = set_aside(existing_site(site), datetime.now(UTC))
    kept = (
        f"Keep {target} and what is beside it."
        if target.exists()
        else "Of the record before nothing is there."
    )
    text = f"{kept} Another begins when the courier starts, and says what was before; admins are told of it."
    write({"set_aside": str(target)}, as_json, text)
