"""The roots of what a site may install arrive with its enrolment, through the courier, and stay."""

from __future__ import annotations

import pytest

from cloud_sync.config import load_settings
from cloud_sync.folder import load_identities
from cloud_sync.registry.signing_keys import KeyRing
from cloud_sync.registry.vendor import Roots
from cloud_sync.services import control_plane
from edge.config import SitePaths
from edge.sync.enrolment import enrol
from edge.updates.trust import first_root
from tests.contract.courier_process import CourierProcess
from tests.integration.sync.rig import ControlPlaneProcess, connected, running_node

# Several processes start; on a busy machine that alone can take a minute.
pytestmark = pytest.mark.timeout(300)


async def created(cloud: ControlPlaneProcess) -> Roots:
    settings, identities = load_settings(cloud.paths), load_identities(cloud.paths)
    async with control_plane(cloud.paths, settings, identities) as plane:
        await plane.vendor.create(KeyRing(), KeyRing(), lambda: None, "test")
        roots = await plane.vendor.roots()
    assert roots is not None
    return roots


async def test_a_site_has_the_roots_when_it_has_connected(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess
) -> None:
    roots = await created(cloud)
    await enrol(paths, cloud.enrolment, await cloud.new_code())
    async with running_node(paths) as node:
        await connected(node)
    assert first_root(paths.trusted_metadata, "vendor") == roots.vendor
    assert first_root(paths.trusted_metadata, "director") == roots.director
