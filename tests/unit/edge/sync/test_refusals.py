"""Which ends of a link are refusals."""

from __future__ import annotations

import pytest

from edge.sync.refusals import refusal_of


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("link_peer_expired", ("control-plane", "peer_expired")),
        ("link_refused", ("node", "refused")),
        ("goodbye_revoked", ("node", "revoked")),
        ("goodbye_replaced", ("node", "replaced")),
        ("goodbye_shutdown", None),
        ("link_unreachable", None),
        ("link_ended", None),
        ("courier_gone", None),
        ("", None),
    ],
)
def test_whose_refusal_it_is(reason: str, told: tuple[str, str] | None) -> None:
    assert refusal_of(reason) == told
