"""Composes a visitor's receipt: the store's rows, the courier's proofs, the site's key, links, and the routes."""

from __future__ import annotations

from aiohttp import web

from edge.chat.session import Sessions
from edge.egress.proofs.client import ProofClient
from edge.egress.proofs.receipt import Receipts
from edge.keys.site_keys import public_pem
from edge.paths import SitePaths
from edge.store.store import Store
from edge.web.receipt_api import ReceiptApi
from edge.web.receipt_files import receipt_files
from edge.web.receipt_links import ReceiptLinks


def receipt_routes(paths: SitePaths, store: Store, sessions: Sessions) -> list[web.AbstractRouteDef]:
    """The routes of receipts."""
    receipts = Receipts(store, ProofClient(paths.courier_socket))
    api = ReceiptApi(receipts, sessions, ReceiptLinks(sessions))
    return [*api.routes(), *receipt_files(public_pem(store.keys.receipts))]
