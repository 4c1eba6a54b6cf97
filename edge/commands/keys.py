"""`postern keys`: arguments → one call. No logic."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.terminal import Json, Site, operate_on, write

keys = typer.Typer(
    no_args_is_help=True, help="The site's keys: who holds them, and what to do if one is lost."
)

HELD = {"tpm": "sealed to this machine's TPM", "file": "in a file, readable by the node's user"}


@keys.command("list")
def keys_list(site: Site, as_json: Json = False) -> None:
    """Every key: what it is for, who holds it, where, when it ends, what to do if it is lost or stolen."""
    found = operate_on(site, "keys.list", {})
    lines = []
    for key in found:
        lines += [f"{key['key']}: {key['purpose']}", f"  held by  {key['holder']} ({key['where']})"]
        lines += [f"  ends     {key['ends']}", f"  lost     {key['lost']}", f"  stolen   {key['stolen']}"]
    write(found, as_json, "\n".join(lines))


@keys.command("seal")
def keys_seal(
    site: Site,
    out: Annotated[bool, typer.Option("--out", help="The other way: out of the TPM, into a file.")] = False,
    as_json: Json = False,
) -> None:
    """Move the root key into this machine's TPM: a copy of the site's folder then opens nowhere else."""
    found = operate_on(site, "keys.seal", {"to": "file" if out else "tpm"})
    write(found, as_json, f"The root key is {HELD[found['root_in']]}.")


@keys.command("rotate")
def keys_rotate(
    site: Site,
    policy: Annotated[bool, typer.Option("--policy", help="Only the pair that signs the policy.")] = False,
    as_json: Json = False,
) -> None:
    """A new root key, site key and recovery key, for the same data. Backups up to now need the recovery key before."""
    found = operate_on(site, "keys.rotate", {"which": "policy" if policy else "root"})
    write(found, as_json, _new_pair(found) if policy else _new_root(found))


@keys.command("recover")
def keys_recover(
    site: Site,
    recovery_key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A file that holds it; else it is asked for, or read from input.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the root key back with the recovery key: the TPM is dead, or the machine is new. The node is stopped."""
    from edge.config import load_config, site_paths
    from edge.operations.keys import recover

    paths = site_paths(site)
    load_config(paths)
    identity = recovery_key.read_text(encoding="utf-8") if recovery_key else _typed()
    found = asyncio.run(recover(paths, identity))
    write(found, as_json, f"The root key is back, {HELD[found['root_in']]}.")


def _typed() -> str:
    """From a terminal unseen, else the first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    asked: str = typer.prompt("Recovery key", hide_input=True, err=True)
    return asked


def _new_root(found: dict[str, str]) -> str:
    return (
        f"The root key is new, and {HELD[found['root_in']]}.\n"
        f"Print {found['recovery_key']}, lock it away, remove the file.\n"
        "Make a backup: earlier ones need the recovery key before."
    )


def _new_pair(found: dict[str, str]) -> str:
    return (
        f"{found['policy_key']} and its public half are new. No text is handed on until it has signed the policy:\n"
        "read the site's policy.toml, and if it says what it should: postern privacy policy sign FILE"
    )
