"""Which ends of a link are refusals, and whose. Pure."""

from __future__ import annotations

NODE, CONTROL_PLANE = "node", "control-plane"


def refusal_of(reason: str) -> tuple[str, str] | None:
    """Who was refused and why, for a row of audit; None for an end that refuses nobody."""
    code = reason.removeprefix("link_")
    if code.startswith("peer_"):
        return CONTROL_PLANE, code
    # A node has one link at a time: whoever took this one's place has its key, and is another machine.
    if reason in ("link_refused", "goodbye_revoked", "goodbye_replaced"):
        return NODE, reason.removeprefix("goodbye_").removeprefix("link_")
    return None
