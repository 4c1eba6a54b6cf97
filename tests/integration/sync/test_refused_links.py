"""What the node does not speak to, and who does not speak to it: each refusal is a row of audit at the site.

A courier and a node's sync half in this process; at the other end, something that is not the site's control plane.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509

from core import identity as certificates
from core.identity import Authority, Credential
from edge.config import SitePaths
from edge.egress.identity.identity import Enrolment, Identity
from edge.store import audit
from edge.store.audit import AuditFilter
from tests import forged, other_user
from tests.contract.courier_process import enrolled, new_site, until
from tests.integration.sync.rig import Node, courier_and_node

NODE_ID = "node-test"


@dataclass(frozen=True)
class Fleet:
    """The authority that the site was enrolled with, and another."""

    ours: Authority
    theirs: Authority


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    now = forged.datetime.now(forged.UTC)
    ours, theirs = (certificates.create_ca(name, now=now, validity=forged.DAY) for name in ("A", "B"))
    return Fleet(ours, theirs)


def of_server(*names: x509.GeneralName) -> forged.Wish:
    return forged.Wish(names or [forged.control_plane_name()], forged.SERVER)


NAME = [forged.control_plane_name()]
SERVERS: dict[str, tuple[str, Callable[[Fleet], Credential]]] = {
    "of another authority": ("peer_unknown", lambda fleet: forged.forged(of_server(), fleet.theirs)),
    "self-signed": ("peer_unknown", lambda fleet: forged.forged(of_server())),
    "signed by a node's certificate": (
        "peer_unknown",
        lambda fleet: forged.issued_by_a_leaf(
            of_server(), forged.forged(forged.Wish([forged.node_name(NODE_ID)]), fleet.ours)
        ),
    ),
    "with a changed signature": (
        "peer_unknown", lambda fleet: forged.signature_changed(forged.forged(of_server(), fleet.ours))
    ),
    "expired": (
        "peer_expired", lambda fleet: forged.forged(forged.expired(NAME, forged.SERVER), fleet.ours)
    ),
    "not yet valid": (
        "peer_not_yet_valid",
        lambda fleet: forged.forged(forged.not_yet_valid(NAME, forged.SERVER), fleet.ours),
    ),
    "for another name": (
        "peer_other_name", lambda fleet: forged.forged(of_server(x509.DNSName("elsewhere")), fleet.ours)
    ),
    "of a node": ("peer_wrong_use", lambda fleet: forged.forged(forged.Wish(NAME), fleet.ours)),
}  # fmt: skip


@asynccontextmanager
async def grpc_server(shown: Credential, roots: Authority) -> AsyncIterator[str]:
    """A gRPC port as a control plane has it, without a service; its address."""
    server = grpc.aio.server()
    pair = (shown.key_pem, shown.certificate_pem)
    credentials = grpc.ssl_server_credentials([pair], roots.certificate_pem, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def plain_server(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that hangs up on whatever it is told."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def of_the_node(fleet: Fleet, endpoint: str) -> Identity:
    """The site, enrolled."""
    shown = forged.forged(forged.Wish([forged.node_name(NODE_ID)]), fleet.ours)
    enrolment = Enrolment(NODE_ID, "Test", endpoint, certificates.CONTROL_PLANE_TARGET_NAME)
    return Identity(enrolment, shown.key_pem, shown.certificate_pem, fleet.ours.certificate_pem)


@asynccontextmanager
async def site(paths: SitePaths, mine: Identity) -> AsyncIterator[Node]:
    """`courier_and_node`, enrolled."""
    enrolled(paths, mine)
    async with courier_and_node(paths) as node:
        yield node


async def told(node: Node, action: str) -> list[tuple[str, str, str, int]]:
    rows = await node.store.read(lambda db: audit.search(db, AuditFilter(action=action), 100))
    return [(row.actor, row.object, row.outcome, row.count) for row in rows]


async def one_row(node: Node, action: str) -> tuple[str, str, str, int]:
    async def written() -> bool:
        return bool(await told(node, action))

    await until(written)
    (row,) = await told(node, action)
    return row


@pytest.mark.parametrize("case", SERVERS)
@pytest.mark.proves("transmission")
async def test_a_control_plane_with_a_wrong_certificate(paths: SitePaths, fleet: Fleet, case: str) -> None:
    reason, make = SERVERS[case]
    async with (
        grpc_server(make(fleet), fleet.ours) as endpoint,
        site(paths, of_the_node(fleet, endpoint)) as node,
    ):
        assert await one_row(node, "link.refused") == ("control-plane", reason, "refused", 1)
        assert node.sync.status().last_error == f"link_{reason}"


def old_tls(fleet: Fleet, folder: Path) -> ssl.SSLContext:
    shown, file = forged.forged(of_server(), fleet.ours), folder / "server.pem"
    file.write_bytes(shown.key_pem + shown.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.parametrize("old", [False, True], ids=["plain text", "TLS 1.1"])
@pytest.mark.proves("transmission")
async def test_a_control_plane_without_a_tls_of_today(
    paths: SitePaths, fleet: Fleet, tmp_path: Path, old: bool
) -> None:
    context = old_tls(fleet, tmp_path) if old else None
    async with plain_server(context) as endpoint, site(paths, of_the_node(fleet, endpoint)) as node:
        assert await one_row(node, "link.refused") == ("control-plane", "peer_not_tls", "refused", 1)


def key_of_another(fleet: Fleet, mine: Identity) -> Identity:
    other = certificates.key_to_pem(certificates.new_key())
    return Identity(mine.enrolment, other, mine.certificate_pem, mine.roots_pem)


@pytest.mark.parametrize("why", ["another authority's", "not of its key"])
async def test_the_sites_own_certificate_is_refused(paths: SitePaths, fleet: Fleet, why: str) -> None:
    """It is the control plane that refuses; the row at the site says that it was this node that came."""
    roots = fleet.theirs if why == "another authority's" else fleet.ours
    async with grpc_server(forged.forged(of_server(), fleet.ours), roots) as endpoint:
        mine = of_the_node(fleet, endpoint)
        async with site(paths, key_of_another(fleet, mine) if roots is fleet.ours else mine) as node:
            assert await one_row(node, "link.refused") == ("node", "refused", "refused", 1)
            await until(lambda: node.sync._links > 1)  # it is tried again, and is no second row
            assert len(await told(node, "link.refused")) == 1


# --- sockets of the machine ---


@other_user.needs_root
async def test_another_user_of_the_machine_at_the_couriers_socket(fleet: Fleet) -> None:
    with other_user.reachable_folder() as folder:
        await _refused_at_the_socket(new_site(folder / "site"), fleet)


async def _refused_at_the_socket(paths: SitePaths, fleet: Fleet) -> None:
    async with site(paths, of_the_node(fleet, "127.0.0.1:1")) as node:
        assert (await other_user.speaks(paths.courier_socket, "x"))[0] == other_user.CLOSED
        other_user.open_to_all(paths.courier_socket)
        assert (await other_user.speaks(paths.courier_socket, "x"))[1] == ""
        assert await one_row(node, "courier.refused") == ("unknown", "peer", "refused", 1)
