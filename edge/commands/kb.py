"""`postern kb`: arguments → one call. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ExitCode
from edge.commands.terminal import Json, Site, as_lines, operate_on, write
from edge.knowledge.dates import first_day, last_day

kb = typer.Typer(no_args_is_help=True, help="The site's documents.")

# Which passages are shown, beside what is said of the document.
_PAGE = ("passages", "first", "of")

AudienceOption = Annotated[str | None, typer.Option("--audience", help="public or staff.")]
OwnerOption = Annotated[str | None, typer.Option("--owner", help="Who keeps it right.")]
FromOption = Annotated[str | None, typer.Option("--valid-from", help="First day, 2026-12-31, or none.")]
UntilOption = Annotated[str | None, typer.Option("--valid-until", help="Last day, 2026-12-31, or none.")]
StateOption = Annotated[str | None, typer.Option("--state", help="draft, approved or retired.")]


@kb.command("add")
def kb_add(
    site: Site,
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files or folders.")],
    audience: AudienceOption = None,
    owner: OwnerOption = None,
    valid_from: FromOption = None,
    valid_until: UntilOption = None,
    state: StateOption = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Remove what is gone from the folders.")] = False,
    as_json: Json = False,
) -> None:
    """Add documents; what changed is replaced, what did not is left alone. New ones are public and approved."""
    said = _said(audience, owner, valid_from, valid_until, state)
    wanted = {"paths": [str(path.absolute()) for path in paths], "mirror": mirror, **said}
    report = operate_on(site, "kb.add", wanted)
    failed = "".join(f"\n  {item['path']}: {item['reason']}" for item in report["failed"])
    counts = ", ".join(f"{name} {report[name]}" for name in ("added", "unchanged", "updated", "removed"))
    write(report, as_json, f"{counts.capitalize()}, failed {len(report['failed'])}.{failed}")
    if report["failed"]:
        raise typer.Exit(ExitCode.FAILED)


@kb.command("set")
def kb_set(
    site: Site,
    document: str,
    audience: AudienceOption = None,
    owner: OwnerOption = None,
    valid_from: FromOption = None,
    valid_until: UntilOption = None,
    state: StateOption = None,
    as_json: Json = False,
) -> None:
    """Change who a document is for, who keeps it, when it answers, and whether it does. Its text stays."""
    said = _said(audience, owner, valid_from, valid_until, state)
    changed = operate_on(site, "kb.set", {"document": document, **said})
    old, new = _in_days(changed["old"]), _in_days(changed["new"])
    lines = [f"{name}: {old[name] or '–'} → {new[name] or '–'}" for name in new if old[name] != new[name]]
    write(changed, as_json, "\n".join(lines) or "Nothing changed.")


@kb.command("list")
def kb_list(site: Site, as_json: Json = False) -> None:
    """All documents."""
    documents = operate_on(site, "kb.list", {})
    lines = [
        f"{d['audience']:7} {d['state']:9} v{d['version']} {d['chunks']:4} {d['doc']}  {d['title']}"
        + (f"  from {d['valid_from']}" if d["valid_from"] else "")
        + (f"  until {d['valid_until']}" if d["valid_until"] else "")
        for d in map(_in_days, documents)
    ]
    write(documents, as_json, "\n".join(lines))


@kb.command("differences")
def kb_differences(site: Site, as_json: Json = False) -> None:
    """Documents that say different things about the same, as customers were shown them."""
    found = operate_on(site, "kb.differences", {})
    lines = [
        "\n".join(f"{side['doc']} v{side['version']}: {side['quote']}" for side in one["sides"])
        for one in found
    ]
    write(found, as_json, "\n\n".join(lines) or "No two documents are known to differ.")


@kb.command("remove")
def kb_remove(site: Site, document: str, as_json: Json = False) -> None:
    """Take a document out."""
    write(operate_on(site, "kb.remove", {"document": document}), as_json, f"Removed {document}.")


@kb.command("show")
def kb_show(
    site: Site,
    document: str,
    version: Annotated[int | None, typer.Option("--version", help="An older text.")] = None,
    first: Annotated[int, typer.Option("--first", min=0, help="Begin after so many passages.")] = 0,
    as_json: Json = False,
) -> None:
    """What is said of a document, its versions, and the passages that it was cut into."""
    found = operate_on(site, "kb.show", {"document": document, "version": version, "first": first})
    passages = [f"[{p['section']}]\n{p['text']}" if p["section"] else p["text"] for p in found["passages"]]
    details = {name: value for name, value in _in_days(found).items() if name not in _PAGE}
    shown_to = first + len(passages)
    more = [f"{found['of'] - shown_to} more: --first {shown_to}"] if shown_to < found["of"] else []
    write(found, as_json, "\n\n".join([as_lines(details), *passages, *more]))


@kb.command("write")
def kb_write(
    site: Site,
    question: str,
    answer: str,
    audience: AudienceOption = None,
    owner: OwnerOption = None,
    valid_from: FromOption = None,
    valid_until: UntilOption = None,
    state: StateOption = None,
    as_json: Json = False,
) -> None:
    """Write the answer to a question: a new document, a draft until it is approved with `kb set`."""
    said = _said(audience, owner, valid_from, valid_until, state)
    made = operate_on(site, "kb.write", {"question": question, "answer": answer, **said})
    write(made, as_json, f"Wrote {made['doc']} ({made['state']}).")


@kb.command("search")
def kb_search(
    site: Site,
    text: str,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="How many passages.")] = 5,
    mode: Annotated[str, typer.Option(help="hybrid, lexical or vector.")] = "hybrid",
    audience: Annotated[str, typer.Option(help="Who asks: public or staff.")] = "public",
    drafts: Annotated[bool, typer.Option("--drafts", help="Also what is not approved yet.")] = False,
    as_json: Json = False,
) -> None:
    """What retrieval finds for a question, and where each leg has it."""
    wanted = {"text": text, "k": k, "mode": mode, "audience": audience, "drafts": drafts}
    found = operate_on(site, "kb.search", wanted)
    texts = [f"{p['score']:.3f}  {_legs(p)}  {p['title']} › {p['section']}\n{p['text']}" for p in found]
    write(found, as_json, "\n\n".join(texts))


def _in_days(details: dict[str, Any]) -> dict[str, Any]:
    """Validity as it was given: a whole last day rather than the moment after it."""
    bounds = {"valid_from": first_day, "valid_until": last_day}
    return {name: bounds[name](value) if name in bounds else value for name, value in details.items()}


def _legs(passage: dict[str, Any]) -> str:
    """ "words 1, meaning 3": the places that the legs give a passage."""
    legs = (("words", passage["lexical"]), ("meaning", passage["vector"]))
    draft = ["draft"] if passage["state"] == "draft" else []
    return ", ".join([*draft, *(f"{name} {leg['rank'] if leg else '–'}" for name, leg in legs)])


def _said(
    audience: str | None,
    owner: str | None,
    valid_from: str | None,
    valid_until: str | None,
    state: str | None,
) -> dict[str, object]:
    """What was said of a document, without what was not."""
    options = {
        "audience": audience,
        "owner": owner,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "state": state,
    }
    return {name: value for name, value in options.items() if value is not None}
