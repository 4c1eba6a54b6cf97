"""The real courier in a site's network under its own account, whose meter's file lies elsewhere and whose minutes are
short. It becomes that account itself: another account may not be able to read this interpreter's files.

python -m tests.integration.egress.confined_courier SITE METERS_FILE MINUTE_MS NETWORK
"""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401  (later it may not be found)
import sys
from pathlib import Path
from typing import Final

from core.logs import log_to_stderr
from core.supervision import stop_on_signals
from edge.egress.courier import proxy
from edge.egress.courier.courier import serve
from edge.egress.reconciliation import reconciling
from edge.paths import site_paths
from tests.integration.egress.cable import COURIER, become, enter

MODULE: Final = "tests.integration.egress.confined_courier"


def main(site: str, counted: str, minute_ms: str, network: str) -> None:
    """Until it is told to stop."""
    way = proxy.configured(site_paths(Path(site)))
    enter(network)
    become(COURIER)
    log_to_stderr("courier")
    reconciling.EVERY_MS = int(minute_ms)  # type: ignore[misc]
    reconciling.QUIET_MS = 10 * int(minute_ms)  # type: ignore[misc]
    reconciling.LOOK_S = 0.05  # type: ignore[misc]

    async def run() -> None:
        async with proxy.going_through(way):
            await serve(site_paths(Path(site)), stop_on_signals(), counted=Path(counted))

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
