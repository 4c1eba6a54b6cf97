"""`postern enroll`: through the running courier, or in its place before the site runs.

The work is the courier's (edge/egress/identity/enrolment.py); gRPC is imported only when this process takes its place.
"""

from __future__ import annotations

import asyncio

from core.errors import NotReachable
from core.version import VERSION
from edge.config import SitePaths
from edge.egress.courier.client import CourierClient
from edge.egress.identity.identity import Enrolment


async def enrol(paths: SitePaths, cloud: str, code: str) -> Enrolment:
    """Trade a one-time code for this site's identity; a running courier uses it at once.

    Raises InvalidCode, NotReachable (exit 4), WrongControlPlane (3), CodeRefused (5), EnrolmentFailed, LedgerInUse.
    """
    client = CourierClient(paths.courier_socket)
    try:
        probe = await client.connect()
    except NotReachable:
        return await _in_place_of_the_courier(paths, cloud, code)
    await probe.close()
    state = await client.enrol(cloud, code)
    return Enrolment(state.node_id, state.site_name, state.sync_endpoint, "")


async def _in_place_of_the_courier(paths: SitePaths, cloud: str, code: str) -> Enrolment:
    from edge.egress.courier import proxy
    from edge.egress.identity import enrolment, identity
    from edge.egress.ledger.log import Log
    from edge.egress.ledger.queue import LedgerQueue

    proxy.forget_variables()
    way = proxy.configured(paths)
    opened = await asyncio.to_thread(Log.open, paths.ledger)
    queue = LedgerQueue(opened)
    try:
        async with proxy.going_through(way):
            fresh = await enrolment.exchange(cloud, code, VERSION, queue)
        identity.store(paths.courier, fresh)
    finally:
        await queue.close()
    return fresh.enrolment
