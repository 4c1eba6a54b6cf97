"""`postern privacy erase|hold|release|holds|erasures|receipt`: arguments → one call. No logic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge.commands.operators import user
from edge.commands.output import expect_writable, write_file
from edge.commands.people import Subject, named
from edge.commands.terminal import Json, Site, local_time, operate_on, write

ERASED: Final = "They are erased; the receipt is still to be had: postern privacy erasures --json."

receipt = typer.Typer(no_args_is_help=True, help="Receipts of erasures.")


def erase(
    site: Site,
    subject: Subject,
    to: Annotated[
        Path | None, typer.Option("--receipt", help="Write the receipt to this file.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Forget somebody at once and for good: what they said, their tickets, their keys. Gives a signed receipt."""
    expect_writable(to)
    found = operate_on(site, "privacy.erase", {"subject": named(subject), "actor": user()})
    if to is not None:
        write_file(to, f"{json.dumps(found, ensure_ascii=False, indent=2)}\n".encode(), ERASED)
    write(found, as_json, _erased(found), ERASED)


def hold(
    site: Site,
    subject: Subject,
    reference: Annotated[str, typer.Option(help="The case that asks for it, by its number.")],
    as_json: Json = False,
) -> None:
    """Keep somebody's data, by law, whoever asks for its erasure, until it is released."""
    given: dict[str, object] = {
        "subject": named(subject),
        "reference": reference,
        "actor": user(),
    }
    found = operate_on(site, "privacy.hold", given)
    write(found, as_json, f"Kept until it is released: {_hold(found)}")


def release(site: Site, subject: Subject, as_json: Json = False) -> None:
    """Keep somebody's data no longer. An erasure that was asked for meanwhile is carried out."""
    found = operate_on(site, "privacy.release", {"subject": named(subject), "actor": user()})
    erased = f"\n{_erased(found['receipt'])}" if found["receipt"] else ""
    write(found, as_json, f"Released: {_hold(found)}{erased}")


def holds(site: Site, as_json: Json = False) -> None:
    """Whose data must stay, since when and for which case."""
    found = operate_on(site, "privacy.holds", {})
    write(found, as_json, "\n".join(map(_hold, found)) or "Nobody's data is under a legal hold.")


def erasures(site: Site, as_json: Json = False) -> None:
    """What was erased, newest first. It names nobody."""
    found = operate_on(site, "privacy.erasures", {})
    lines = [
        f"{local_time(row['erased_ms'])}  {row['label']}  {'done' if row['done'] else 'not finished'}"
        for row in found
    ]
    write(found, as_json, "\n".join(lines) or "Nobody was erased yet.")


@receipt.command("verify")
def receipt_verify(
    file: Annotated[Path, typer.Argument(help="The receipt.", dir_okay=False, exists=True)],
    key: Annotated[Path, typer.Option(help="keys/receipts.pub of the site.", dir_okay=False, exists=True)],
    as_json: Json = False,
) -> None:
    """Is this receipt genuine? Needs no site, only the key that it publishes."""
    from edge.privacy import receipts

    found = receipts.parse(file.read_bytes())
    receipts.verify(receipts.Kind.ERASURE, found, receipts.public_key(key.read_bytes()))
    write(found, as_json, f"Genuine: signed by key {found['key']}.\n{_erased(found)}")


@receipt.command("whose")
def receipt_whose(
    site: Site,
    file: Annotated[Path, typer.Argument(help="The receipt.", dir_okay=False, exists=True)],
    subject: Subject,
    as_json: Json = False,
) -> None:
    """Is this receipt this person's? Only their site can tell, and only whoever knows the name can ask."""
    from edge.privacy import receipts

    given: dict[str, object] = {"receipt": receipts.parse(file.read_bytes()), "subject": named(subject)}
    found = operate_on(site, "privacy.verify-receipt", given)
    write(found, as_json, "It is theirs." if found["theirs"] else "It is genuine, and somebody else's.")


def _hold(row: dict[str, Any]) -> str:
    asked = row["erasure_asked_ms"]
    waits = f", an erasure waits since {local_time(asked)}" if asked else ""
    return f"{row['subject']}  {row['reference']}, since {local_time(row['placed_ms'])} by {row['placed_by']}{waits}"


def _erased(receipt: Any) -> str:
    if not receipt["found"]:
        return "Nothing of them is here. They are on the list: a backup that knows them is cleaned before it opens."
    rows = [f"{count} {table}" for table, count in {**receipt["removed"], **receipt["unlinked"]}.items()]
    left = sum(file.get("backups", 1) for file in receipt["backups"] if file["keys_file"] != "rewritten")
    lines = [
        f"Erased: {', '.join(rows) or 'no rows'}; {receipt['keys_shredded']} keys shredded.",
        *(
            ["Copies in the store's logs go as soon as no backup reads them."]
            if not receipt["logs_emptied"]
            else []
        ),
        *([f"{left} files of keys beside backups could not be reached."] if left else []),
    ]
    return "\n".join(lines)
