"""`postern intents`: arguments → one call. No logic."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ExitCode
from edge.commands.terminal import Json, Site, local_time, operate_on, write

intents = typer.Typer(no_args_is_help=True, help="What customers want: train, compare, go back.")

Accept = Annotated[bool, typer.Option("--accept", help="Let it serve even if it is worse.")]


@intents.command("train")
def intents_train(
    site: Site,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: text,intent.")],
    accept: Accept = False,
    as_json: Json = False,
) -> None:
    """Train on labelled utterances; the result serves unless it is worse than what serves now."""
    found = operate_on(site, "intents.train", {"path": str(file.resolve()), "accept": accept})
    write(found, as_json, "\n".join(_told(found)))
    if not found["active"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@intents.command("predict")
def intents_predict(site: Site) -> None:
    """JSON lines {"text"} on standard input become {"intent","confidence","in_scope"} on standard output."""
    from edge.commands.intent_lines import predict_lines
    from edge.config import load_config, site_paths

    paths = site_paths(site)
    load_config(paths)
    asyncio.run(predict_lines(paths, sys.stdin.buffer, sys.stdout.buffer))


@intents.command("list")
def intents_list(site: Site, as_json: Json = False) -> None:
    """Versions, newest first, with the figures that their gate saw."""
    found = operate_on(site, "intents.list", {})
    lines = [
        f"v{m['version']:<4} {m['state']:9} {local_time(m['created_ms'])}  {m['intents']:3} intents "
        f"{m['examples']:6} examples  {m['accuracy']:.1%} right"
        + "".join(f"\n      {reason}" for reason in m["reasons"])
        for m in found
    ]
    write(found, as_json, "\n".join(lines) or "No intents have been trained.")


@intents.command("activate")
def intents_activate(site: Site, version: int, accept: Accept = False, as_json: Json = False) -> None:
    """Let a version of the list serve."""
    found = operate_on(site, "intents.activate", {"version": version, "accept": accept})
    write(found, as_json, f"Version {found['active']} serves.")


@intents.command("roll-back")
def intents_roll_back(site: Site, as_json: Json = False) -> None:
    """Let the version serve that served before."""
    found = operate_on(site, "intents.roll-back", {})
    write(found, as_json, f"Version {found['active']} serves again.")


def _told(found: dict[str, Any]) -> list[str]:
    before = found["before"]
    weak = sorted(found["per_intent"], key=lambda intent: (intent["recall"], intent["name"]))[:5]
    return [
        f"Version {found['version']}: {found['intents']} intents from {found['examples']:,} examples in "
        f"{found['seconds']:.0f} s; {found['accuracy']:.1%} of held-back examples are right.",
        *([f"On the same examples the version before had {before['before']:.1%} right."] if before else []),
        "Least well known: " + ", ".join(f"{intent['name']} {intent['recall']:.0%}" for intent in weak),
        *found["reasons"],
        "It serves now."
        if found["active"]
        else f"It was kept, but does not serve. To let it serve all the same: "
        f"postern intents activate {found['version']} --accept",
    ]
