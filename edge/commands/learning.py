"""`postern examples` and `postern learn`: arguments → one call. No logic."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core.errors import ExitCode
from edge.commands.terminal import Json, Site, local_time, operate_on, write

_FIGURES = {
    "right": "right",
    "wrong_shown": "wrong shown",
    "refused": "rightly refused",
    "not_found": "not found",
    "hit1": "right document first",
    "hit5": "among five",
    "accuracy": "share right",
}

examples = typer.Typer(no_args_is_help=True, help="Corrections: what the right answer to a question is.")


@examples.command("add")
def examples_add(
    site: Site,
    question: Annotated[str, typer.Argument(help="As a customer asks it; kept redacted.")],
    document: Annotated[str | None, typer.Option("--document", help="This document answers it.")] = None,
    section: Annotated[str, typer.Option("--section", help="… in this section.")] = "",
    unanswerable: Annotated[bool, typer.Option("--none", help="No document answers it.")] = False,
    intent: Annotated[str | None, typer.Option("--intent", help="What the customer wants.")] = None,
    golden: Annotated[bool, typer.Option("--golden", help="Judge by it; do not learn from it.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is right for a question: a document, none, or an intent."""
    wanted: dict[str, object] = {
        "text": question,
        "document": document,
        "section": section,
        "unanswerable": unanswerable,
        "intent": intent,
        "golden": golden,
    }
    found = operate_on(site, "examples.add", wanted)
    where = f"golden question, one of {found['golden']}" if golden else f"example {found['id']}"
    write(found, as_json, f"Kept as {where}: {found['text']} → {_said(found)}")


@examples.command("list")
def examples_list(
    site: Site,
    kind: Annotated[str | None, typer.Option("--kind", help="answer or intent.")] = None,
    count: Annotated[int, typer.Option("--count", help="How many, newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """What staff and customers said of questions, newest first."""
    found = operate_on(site, "examples.list", {"kind": kind, "count": count})
    lines = [
        f"{one['id']:6}  {local_time(one['created_ms'])}  {one['source']:10} {one['text']} → {_said(one)}"
        for one in found
    ]
    write(found, as_json, "\n".join(lines) or "There are no examples.")


@examples.command("remove")
def examples_remove(site: Site, example: int, as_json: Json = False) -> None:
    """Forget an example."""
    found = operate_on(site, "examples.remove", {"id": example})
    write(found, as_json, f"Removed example {found['removed']}.")


def learn(
    site: Site,
    roll_back: Annotated[bool, typer.Option("--roll-back", help="Let serve what served before.")] = False,
    history: Annotated[bool, typer.Option("--history", help="What was learnt, with its figures.")] = False,
    kind: Annotated[
        str | None, typer.Argument(help="With --roll-back: intents, ranking or evidence; else the newest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn from corrections; what does better on the golden questions serves, the rest is kept and told."""
    if (kind and not roll_back) or (roll_back and history):
        raise typer.BadParameter("Give one of --roll-back [KIND] and --history, or neither.")
    if roll_back:
        found = operate_on(site, "learn.roll_back", {"kind": kind})
        write(found, as_json, "\n".join(_serves(of, v) for of, v in found["serving"].items()))
    elif history:
        found = operate_on(site, "learn.history", {})
        lines = [f"{local_time(one['created_ms'])}  {one['state']:9} {_figures(one)}" for one in found]
        write(found, as_json, "\n".join(lines) or "Nothing has been learnt yet.")
    else:
        found = operate_on(site, "learn.run", {})
        judged = (
            f"Judged on {found['golden']['questions']} questions; {found['examples']} examples to learn from."
        )
        write(found, as_json, "\n".join([judged, *map(_figures, found["kinds"])]))
        if not any(one["active"] for one in found["kinds"]):
            raise typer.Exit(ExitCode.CHECK_FAILED)


def _serves(kind: str, version: int | None) -> str:
    return f"{kind}: " + (
        f"version {version} serves again." if version else "what Postern ships serves again."
    )


def _figures(one: dict[str, Any]) -> str:
    """A version with its figures before and after, and why it does not serve."""
    named = f"{one['kind']} v{one['version']}" if one["version"] else one["kind"]
    before = one.get("before") or {}
    change = [
        f"{_FIGURES[name]} {before[name]} → {one['after'][name]}" for name in _FIGURES if name in before
    ]
    lines = [f"{named}, examples {one['examples']}" + (f": {', '.join(change)}" if change else "")]
    return "\n    ".join([*lines, *one["reasons"], *(["It serves now."] if one.get("active") else [])])


def _said(one: dict[str, Any]) -> str:
    if "intent" in one:
        return str(one["intent"])
    if "not_helpful" in one:
        return (
            f"not helpful ({one['reason'] or 'no reason'}): {', '.join(one['not_helpful']) or 'no document'}"
        )
    place = f" › {one['section']}" if one.get("section") else ""
    return f"{one['document']}{place}" if one["document"] else "no document"
