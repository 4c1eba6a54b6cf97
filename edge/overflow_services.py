"""Part of the composition root: the way to the control plane's language model.

Loaded by `edge.app` once customers are served. It is kept open only while a policy is in force under which any text
could go: a site that hands nothing on has no connection for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edge import metrics
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.overflow.client import OverflowClient
from edge.egress.overflow.overflow import Overflow
from edge.inference.conversation import Provider
from edge.text_services import may_overflow

if TYPE_CHECKING:
    from edge.app import Site

LOOK_EVERY_S: Final = 5.0
"""At whether text could go: a policy that the site signs counts for the next look, as it does for the guard at once."""

NOT_OFFERED: Final = "not_offered"
"""The answers are quotes, or no text may go: nobody keeps a way open."""


class OverflowWay:
    """The connection to the courier for answers, open while it could be used."""

    def __init__(
        self, client: OverflowClient, wanted: Callable[[], bool], look_every_s: float = LOOK_EVERY_S
    ) -> None:
        """`wanted`: whether any text could go."""
        self._client = client
        self._wanted = wanted
        self._look_every_s = look_every_s

    def told(self) -> dict[str, object]:
        """The part of `postern status`."""
        offered, ready = self._wanted(), self._client.ready
        # A way that is not kept open has never heard of the courier, whatever the courier does.
        return {
            "offered": offered,
            "ready": ready,
            "reason": "" if ready else self._client.reason if offered else NOT_OFFERED,
            "answers": metrics.overflow_outcomes(),
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._wanted():
                await self._open_while_wanted()
            await asyncio.sleep(self._look_every_s)

    async def _open_while_wanted(self) -> None:
        """Raises what the client raises."""
        keeping = asyncio.create_task(self._client.run(), name="overflow client")
        try:
            while self._wanted():
                done, _ = await asyncio.wait({keeping}, timeout=self._look_every_s)
                if done:
                    keeping.result()
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


def open_overflow(site: Site) -> OverflowWay:
    """The way of `site`, not yet running; its desk may ask from now on."""
    client = OverflowClient(site.paths.courier_socket)
    alert, first_text_s = OverflowAlert(site.store), site.config.answer.first_token_deadline_s
    site.desk.relay.join(Provider.CLOUD, Overflow(client, site.texts.guard.admit, alert, first_text_s))
    site.desk.foresees = site.texts.foreseen.refusal
    return OverflowWay(client, lambda: may_overflow(site))
