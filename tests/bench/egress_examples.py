"""What the canaries that were found stood in: what was asked, and what left, so that the cause is seen without a second
run. All of it is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.bench.egress_canaries import Canary, Class, Prompt
from tests.bench.egress_overflow import Run
from tests.bench.egress_search import Search

DETERMINISTIC = (Class.CHECKSUMMED, Class.SITE_PATTERN)
SHOWN = 20
# A prompt with its passage is shorter.
SHOWN_CHARS = 4_000


def examples(
    run: Run, turns: Sequence[Prompt], seen: Iterable[Canary], blobs: Sequence[bytes]
) -> list[dict[str, Any]]:
    """Names that their conversation's vault knew first, then what a machine is sure of, SHOWN at most.

    `texts`: all of the conversation in which it was said, for what comes of it may have begun in an earlier one;
    `left` is what of the customer's words the guard let go, None where it let nothing go or is the node's own.
    `at_the_tap`: the message that holds it, where it stands in none of these.
    """
    known = run.hidden_first()
    ordered = sorted(seen, key=lambda one: (one not in known, one.kind not in DETERMINISTIC, one.looked_for))
    return [
        {"canary": one.looked_for, "kind": one.kind.value, "vault_known": one in known}
        | _said(run, turns, one, blobs)
        for one in ordered[:SHOWN]
    ]


def _said(run: Run, turns: Sequence[Prompt], canary: Canary, blobs: Sequence[bytes]) -> dict[str, Any]:
    asked = [(one.prompt, one.texts) for one in run.asked] + [(one, None) for one in turns]
    texts = [
        {"asked": prompt.text, "left": None if left is None else list(left)}
        for prompt, left in asked
        if canary in prompt.canaries or canary == prompt.again
    ]
    if any(_holds(canary, text.encode()) for one in texts for text in one["left"] or ()):
        return {"texts": texts}
    message = next((blob for blob in blobs if _holds(canary, blob)), b"")
    return {"texts": texts, "at_the_tap": message.decode(errors="replace")[:SHOWN_CHARS]}


def _holds(canary: Canary, content: bytes) -> bool:
    """Whether it stands in there, however it is written."""
    search = Search()
    search.add(canary.looked_for)
    return bool(search.found([content]))
