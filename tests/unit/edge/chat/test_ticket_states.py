"""The life of a ticket, as a table: every state with every act."""

from __future__ import annotations

import pytest

from edge.chat.ticket_states import Act, TicketOver, TicketState, after

B, W, H = TicketState.BOT, TicketState.WAITING, TicketState.HUMAN
C, D, E = TicketState.CLOSED, TicketState.WITHDRAWN, TicketState.EXPIRED
# Rows: state before. Columns: the act. None: refused.
TABLE: dict[TicketState, dict[Act, TicketState | None]] = {
    B: {Act.REQUEST: W},
    W: {Act.WRITE: W, Act.WITHDRAW: D, Act.TAKE: H, Act.REPLY: H, Act.CLOSE: C, Act.EXPIRE: E},
    H: {Act.WRITE: H, Act.WITHDRAW: D, Act.TAKE: H, Act.REPLY: H, Act.CLOSE: C, Act.EXPIRE: E},
    C: {},
    D: {},
    E: {},
}


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("state", TicketState)
def test_every_step(state: TicketState, act: Act) -> None:
    wanted = TABLE[state].get(act)
    if wanted is not None:
        assert after(state, act) is wanted
        return
    with pytest.raises(TicketOver) as refused:
        after(state, act)
    assert refused.value.status == 409
