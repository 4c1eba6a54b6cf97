"""What an older stream of a node may still do, or a revoked node's: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.fleet.intake import Superseded
from cloud_sync.fleet.outbox import Run, UploadFacts
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane
from cloud_sync.store.nodes import Report
from cloud_sync.store.streams import RecordRow
from core import identity

START = datetime(2026, 3, 1, tzinfo=UTC)
EPOCH = b"e" * 16
ROW = RecordRow(1, 3, "something.new", b"{}", START)
RUN = Run(first=1, last=1, rows=(ROW,), poison=None, astray=False)
REPORT = Report(1, 1, "", "", (), 7, 7, 7, "1")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, "Test", "", START)
    async with control_plane(paths, CloudSettings(), load_identities(paths), lambda: START) as opened:
        yield opened


@pytest.fixture
async def node(plane: ControlPlane) -> tuple[str, bytes]:
    code = await plane.enrolment.new_code("Clinic", "test", "here:1")
    secret = identity.parse_code(code.code).secret
    request = identity.create_signing_request(identity.new_key())
    enrolled = await plane.enrolment.redeem(secret, request, "1", "address")
    return enrolled.node_id, identity.certificate_fingerprint(enrolled.certificate_pem)


async def test_a_revoked_nodes_upload_ends_with_the_revocation(
    plane: ControlPlane, node: tuple[str, bytes]
) -> None:
    generation = await plane.intake.open_stream(*node, "1")
    await plane.intake.open_upload(node[0], generation, UploadFacts(EPOCH, 1, 1))
    await plane.steering.revoke(node[0], "test")
    assert await plane.intake.accept(node[0], EPOCH, generation, RUN) == Superseded()
    assert await plane.intake.open_upload(node[0], generation, UploadFacts(EPOCH, 1, 1)) == Superseded()


@pytest.mark.parametrize("older", [True, False])
async def test_what_an_older_stream_says_of_the_node_is_not_kept(
    plane: ControlPlane, node: tuple[str, bytes], older: bool
) -> None:
    generation = await plane.intake.open_stream(*node, "1")
    if older:
        await plane.intake.open_stream(*node, "1")
    await plane.intake.report(node[0], generation, REPORT)
    plane.intake.beat(node[0], generation, 50, 3, 1, ())
    view, _ = await plane.overview.node(node[0])
    assert (view.documents, view.queue_percent) == ((None, None) if older else (7, 50))
    await plane.presence.save()
    view, _ = await plane.overview.node(node[0])
    assert view.queue_percent == (None if older else 50)
