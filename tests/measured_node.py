"""`postern run` as if a better detector had been measured: for what lies behind a policy's tolerance for its misses.

With what is measured of the detector that ships, no text may leave (docs/adr/0047). No setting, file of a site or
variable of the environment reaches these figures: only whoever starts this module in the place of the product's.

    python -m tests.measured_node run SITE
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final
from unittest import mock

from models.detect import rates
from tests.patched_node import main

if TYPE_CHECKING:
    from edge.app import Site
    from edge.config import SitePaths

MODULE: Final = "tests.measured_node"

# Within the widest tolerance (10 %), and beyond the others, which stay what they are.
INVENTED: Final = rates.parse("language.en.PERSON = { missed = 70, of = 1000 }")


@contextmanager
def measured() -> Iterator[None]:
    """Sites that are opened meanwhile in this process go by the invented figures."""
    from edge import text_services  # heavy; the supervisor needs nothing of it

    with mock.patch.object(text_services, "shipped", return_value=INVENTED):
        yield


@asynccontextmanager
async def opened(paths: SitePaths) -> AsyncIterator[Site]:
    """A site in this process that goes by them."""
    from edge.app import open_site

    with measured():
        async with open_site(paths) as site:
            yield site


if __name__ == "__main__":
    main(MODULE, "node", lambda site: measured())
