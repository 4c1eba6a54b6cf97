"""The single-file verifier over this site's own ledger, or over an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import BadArgument
from edge.egress import verify
from edge.egress.ledger.export import exported
from edge.egress.ledger.reading import unlike_witnessed
from edge.paths import SitePaths


def check_site(paths: SitePaths, remembered: Path | None = None, aside: Path | None = None) -> dict[str, Any]:
    """What `verify.document` says of the ledger as it is, and of how many of its last entries no checkpoint is kept:
    `unsigned`, or `signed_now`, for this check alone; with `aside` of one that was set aside.

    Raises BadArgument, and what `exported` does.
    """
    question = _asked(remembered)
    with exported(paths, aside, all_leaves=True) as export:
        found = verify.verify(export, question)
        if not aside and not found.problems and (unlike := unlike_witnessed(paths)):
            found.problems.append(unlike)
        told = verify.document(found)
        unsigned = export.leaves() - export.size if told["whole"] else 0
        return {**told, "unsigned": unsigned, "signed_now": export.signed_now if told["whole"] else 0}


def check_export(file: Path, remembered: Path | None = None) -> dict[str, Any]:
    """The same of an export. Raises BadArgument."""
    question = _asked(remembered)
    try:
        found = verify.examine(str(file), question)
    except verify.Usage as error:
        raise BadArgument(
            str(error), remedy="Name a folder or a .zip that postern ledger export wrote."
        ) from None
    return {**verify.document(found), "unsigned": 0, "signed_now": 0}


def in_words(told: dict[str, Any]) -> str:
    """For a person."""
    return verify.in_words(told) + "".join(f"{line}\n" for line in ends(told))


def ends(told: dict[str, Any]) -> list[str]:
    """Of the newest entries, what the others' signatures do not cover; `told` has `unsigned` and `signed_now`."""
    unsigned, now = told["unsigned"], told["signed_now"]
    return [
        *([f"Newer entries that are not signed yet, and not in it: {unsigned:,}."] if unsigned else []),
        *(
            [f"Signed only now, for this: the last {now:,}. What they were before, it does not show."]
            if now
            else []
        ),
    ]


def _asked(remembered: Path | None) -> verify.Question:
    try:
        return verify.ask(checkpoints=[str(remembered)] if remembered else [])
    except (verify.Usage, verify.Wrong) as error:
        raise BadArgument(
            str(error), remedy="Give a file that postern ledger checkpoint printed, or a witness keeps."
        ) from None
