"""What a receipt is checked with, beside its page and for everybody: the site's public key and the verifier.

Whoever could forge a receipt could forge these on the same page; it says so. They spare who trusts the site a search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

import edge.egress
from edge.keys.site_keys import RECEIPTS_PUBLIC

# The file as it is: it needs none of ours, and loading it costs the node memory.
_PROGRAM: Final = Path(edge.egress.__file__).with_name("verify.py")


def receipt_files(public_key: bytes) -> list[web.RouteDef]:
    """The routes. `public_key`: PEM, of the key that signs receipts."""

    async def key(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=public_key, content_type="application/x-pem-file", headers=_named(RECEIPTS_PUBLIC)
        )

    async def verifier(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(_PROGRAM, headers=_named(_PROGRAM.name))

    return [web.get("/receipt/receipts.pub", key), web.get("/receipt/verify.py", verifier)]


def _named(name: str) -> dict[str, str]:
    """Kept as a file, never shown: a browser must not run or render it. Asked for anew: a new release has another."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
