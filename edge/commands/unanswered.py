"""`postern unanswered`: arguments → one call. No logic."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from edge.commands.terminal import Json, Site, operate_on, write

unanswered = typer.Typer(no_args_is_help=True, help="What people asked and the documents do not answer.")

Ids = Annotated[list[int], typer.Argument(help="Numbers of the list.")]


@unanswered.command("list")
def unanswered_list(site: Site, as_json: Json = False) -> None:
    """Open questions, without personal values; similar ones together."""
    found = operate_on(site, "unanswered.list", {})
    lines = [
        f"{group['count']:4} × {group['question']}\n         {' '.join(map(str, group['ids']))}"
        for group in found
    ]
    write(found, as_json, "\n".join(lines) or "Every question was answered.")


@unanswered.command("dismiss")
def unanswered_dismiss(site: Site, ids: Ids, as_json: Json = False) -> None:
    """They need no answer."""
    found = operate_on(site, "unanswered.dismiss", {"ids": ids, "operator": getpass.getuser()})
    write(found, as_json, f"Dismissed {found['dismissed']}.")


@unanswered.command("answer")
def unanswered_answer(
    site: Site,
    ids: Ids,
    question: Annotated[str, typer.Option(help="The question as one would put it.")],
    answer: Annotated[str, typer.Option(help="Its answer, in Markdown.")],
    audience: Annotated[str, typer.Option(help="public or staff.")] = "public",
    as_json: Json = False,
) -> None:
    """Write a draft document that answers them; approve it with `postern kb set`."""
    arguments = {"ids": ids, "question": question, "answer": answer, "audience": audience}
    found = operate_on(site, "unanswered.answer", {**arguments, "operator": getpass.getuser()})
    write(found, as_json, f"Wrote the draft {found['doc']}.")
