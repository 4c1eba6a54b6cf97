"""Node and control plane together: real processes, mutual TLS, real kills; the judge is the cloud's database."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.errors import PosternError
from edge.config import SitePaths
from edge.egress.ledger import reading
from edge.privacy import policy_files
from edge.privacy.policy import parse
from edge.site_setup import policy_pack
from edge.store.outbox import OutboxClass, append
from edge.store.outbox_quotas import set_quotas
from edge.sync.desired import DesiredDocument
from edge.sync.enrolment import enrol
from tests.contract.courier_process import CourierProcess, until
from tests.integration.sync.rig import ControlPlaneProcess, Node, connected, running_node
from tests.ports import free_port

# Several processes start in each; on a busy machine that alone can take a minute.
pytestmark = pytest.mark.timeout(300)


async def _enrolled(paths: SitePaths, cloud: ControlPlaneProcess) -> None:
    await enrol(paths, cloud.enrolment, await cloud.new_code())


async def _write(node: Node, first: int, rows: int) -> None:
    def add(db: Database) -> None:
        for number in range(first, first + rows):
            append(db, OutboxClass.STATE, "knowledge.changed", {"documents": number, "chunks": 0})

    await node.store.write(add)
    node.sync.notify()


async def _arrived(cloud: ControlPlaneProcess, rows: int) -> None:
    async def enough() -> bool:
        return len(await cloud.records()) >= rows

    await until(enough, timeout_s=60)


async def test_enrolling_before_the_site_runs(paths: SitePaths, cloud: ControlPlaneProcess) -> None:
    code = await cloud.new_code()
    enrolment = await enrol(paths, cloud.enrolment, code)
    assert enrolment.node_id == (await cloud.node()).id
    assert (paths.courier / "key.pem").stat().st_mode & 0o777 == 0o600
    _, *leaves = reading.read(paths.ledger)
    assert [leaf.type for leaf in leaves] == ["intent", "close"]
    with pytest.raises(PosternError) as spent:
        await enrol(paths, cloud.enrolment, code)
    assert (spent.value.code, spent.value.exit_code) == ("code_refused", 5)


async def test_what_made_way_for_want_of_room_is_known_to_the_control_plane(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess
) -> None:
    async with running_node(paths) as node:
        await node.store.write(lambda db: set_quotas(db, {OutboxClass.STATE: 20_000}))
        await _write(node, 0, 300)
        await _enrolled(paths, cloud)
        await connected(node)
        await until(lambda: _last_is(cloud, 299))
        arrived = [record["documents"] for record in await cloud.records()]
        assert 0 < len(arrived) < 200
        assert arrived == list(range(300 - len(arrived), 300))
        shown = await cloud.command("node", "show", node.sync.status().node_id)
        (gap,) = shown["gaps"]
        assert (gap["first_seq"], gap["last_seq"]) == (1, 300 - len(arrived))
        assert (gap["outbox_class"], gap["reason"]) == ("state", "quota")


async def _last_is(cloud: ControlPlaneProcess, number: int) -> bool:
    return any(record["documents"] == number for record in await cloud.records())


async def test_enrolling_a_running_site_connects_it_at_once(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess
) -> None:
    async with running_node(paths) as node:
        await until(lambda: node.sync.status().last_error == "")
        assert not node.sync.status().enrolled
        await node.store.write(lambda db: append(db, OutboxClass.STATE, "turn.text", {"text": "Mrs Miller"}))
        await _write(node, 0, 3)
        await _enrolled(paths, cloud)
        await connected(node)
        await _arrived(cloud, 3)
        assert [stone["reason"] for stone in await cloud.records("outbox.refused")] == ["kind"]
        assert await cloud.records("turn.text") == []
        await until(lambda: _shown(cloud))
        first = node.sync.status().node_id
        await _enrolled(paths, cloud)
        await until(lambda: node.sync.status().node_id not in ("", first) and node.sync.status().connected)


async def _shown(cloud: ControlPlaneProcess) -> bool:
    row = await cloud.node()
    return (row.documents, row.chunks, row.software_version) == (3, 40, "0.1.0") and row.models != []


async def test_enrolment_says_what_went_wrong(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess, tmp_path: Path
) -> None:
    other = ControlPlaneProcess(tmp_path / "other")
    await other.create()
    foreign = await other.new_code()
    own = await cloud.new_code()
    table = [
        (cloud.enrolment, foreign, "wrong_control_plane", 3),
        (f"127.0.0.1:{free_port()}", own, "not_reachable", 4),
        ("nowhere", own, "not_reachable", 4),
        (cloud.enrolment, "0000-0000", "invalid_code", None),
    ]
    for endpoint, code, expected, status in table:
        with pytest.raises(PosternError) as caught:
            await enrol(paths, endpoint, code)
        assert caught.value.code == expected or status is None
        assert status is None or caught.value.exit_code == status
        assert caught.value.remedy
    assert not (paths.courier / "enrolment.json").exists()
    await enrol(paths, cloud.enrolment, own)  # the code was not spent by any of these


async def test_desired_state_goes_down_and_the_answer_comes_up(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess, tmp_path: Path
) -> None:
    await _enrolled(paths, cloud)
    async with running_node(paths) as node:
        await connected(node)
        good = await _desire(cloud, tmp_path, 'answer_mode = "generative"')
        await until(lambda: node.sync.status().applied_generation == good)
        assert node.applied[-1] == DesiredDocument(answer_mode="generative")

        async def reported(field: str, generation: int) -> bool:
            row = await cloud.node()
            return (row.observed_generation, row.applied_generation, row.rejected_field) == (
                generation,
                good,
                field,
            )

        await until(lambda: reported("", good))
        for document, field in (
            ('answer_mode = "overflow"', "answer_mode"),
            ('notes = "refuse me"', "notes"),
        ):
            bad = await _desire(cloud, tmp_path, document)
            await until(lambda field=field, bad=bad: reported(field, bad))
        assert node.sync.status().applied_generation == good
        assert len(node.applied) == 1
    async with running_node(paths) as again:
        await until(lambda: again.applied == [DesiredDocument(answer_mode="generative")])
        await connected(again)


@pytest.mark.proves("policy")
async def test_the_control_plane_tightens_the_sites_policy_and_never_loosens_it(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess, tmp_path: Path
) -> None:
    await _enrolled(paths, cloud)
    policy_files.make_key(paths.keys)
    text = policy_pack("clinic", datetime.now(UTC))
    policy_files.save(paths, text, datetime.now(UTC))
    async with running_node(paths) as node:
        await connected(node)
        tighter = await _desire(
            cloud, tmp_path, _as_wanted(text, 'documents = "public"', 'documents = "none"')
        )
        await until(lambda: node.sync.status().applied_generation == tighter)
        site, cloud_policy = node.policies.in_force()
        assert (site.overflow.documents, cloud_policy.overflow.documents) == ("public", "none")  # type: ignore[union-attr]

        looser = await _desire(cloud, tmp_path, _as_wanted(text, 'risk = "moderate"', 'risk = "high"'))

        async def rejected() -> bool:
            row = await cloud.node()
            found = (row.observed_generation, row.rejected_field, row.rejected_reason)
            return found == (looser, "policy", "policy_looser")

        await until(rejected)
        assert node.policies.cloud == cloud_policy
        # The site itself may become the stricter one: what the control plane has tightened stays tightened.
        policy_files.save(paths, policy_pack("empty", datetime.now(UTC)), datetime.now(UTC))
    async with running_node(paths) as again:
        assert again.policies.cloud == cloud_policy
        await connected(again)
        assert again.policies.cloud == cloud_policy
        # A state without a policy lifts it, for good: what the site's own officer signed holds alone.
        lifted = await _desire(cloud, tmp_path, 'answer_mode = "extractive"')
        await until(lambda: again.sync.status().applied_generation == lifted)
        (alone,) = again.policies.in_force()
        assert alone.name == parse(policy_pack("empty", datetime.now(UTC))).name
    async with running_node(paths) as last:
        assert last.policies.in_force() == (alone,)


def _as_wanted(policy: str, find: str, replace: str) -> str:
    """A policy as a desired state has it: a table, its date as text."""
    assert find in policy
    text = re.sub(r"(?m)^valid_until = (.*)$", r'valid_until = "\1"', policy.replace(find, replace))
    return "[policy]\n" + text.replace("[overflow", "[policy.overflow").replace("[lan_llm", "[policy.lan_llm")


async def _desire(cloud: ControlPlaneProcess, folder: Path, document: str) -> int:
    file = folder / "desired.toml"
    file.write_text(document)
    return int((await cloud.command("desired", "set", str(file)))["generation"])


async def test_a_revoked_node_is_turned_away_and_says_so(
    paths: SitePaths, cloud: ControlPlaneProcess, courier: CourierProcess
) -> None:
    await _enrolled(paths, cloud)
    async with running_node(paths) as node:
        await connected(node)
        await cloud.command("node", "revoke", node.sync.status().node_id)
        await until(lambda: node.sync.status().last_error == "goodbye_revoked")
