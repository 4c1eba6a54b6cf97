"""What was kept and is wanted no more: the site takes it off, and the control plane hears of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import PosternError
from edge.config import site_paths
from edge.knowledge.ingest import KnowledgeBase
from edge.operations.arguments import BadArguments
from edge.operations.updates import UpdatesOperations
from edge.privacy.policies import Policies, PolicyFile
from edge.privacy.pushed_policies import PUSHED_MAX, PushedPolicies
from edge.store.store import Store
from edge.updates import rows
from edge.updates.knowledge_installer import KnowledgeInstaller
from edge.updates.removing import Removing
from edge.updates.rows import UpdateRow
from edge.updates.steps import End, Standing, Step
from edge.updates.wanted import Update
from edge.web.audit_rules import of_operation
from edge.web.audited import Audited
from tests.unit.edge.egress.text.guard_rig import POLICY
from tests.unit.edge.updates.test_packs_and_policies import Embedder, content, ids


def update(kind: str, name: str, version: str = "1.0", rollout: str = "r") -> Update:
    return Update.model_validate(
        {
            "kind": kind,
            "name": name,
            "version": version,
            "target": f"{kind}/{name}/{version}",
            "rollout": rollout,
        }
    )


QUIET, LIFTS = update("policy", "quiet"), update("knowledge", "lifts")


@dataclass
class Site:
    """What the operation works on."""

    store: Store
    base: KnowledgeBase
    pushed: PushedPolicies
    packs: KnowledgeInstaller

    async def remove(self, kind: str, name: str, **more: object) -> dict[str, object]:
        operation = UpdatesOperations(self.store, Removing(self.store, self.pushed, self.packs)).table()[
            "updates.remove"
        ]
        audited = Audited(self.store).by("anna", "updates.remove", operation)
        found = await audited({"update": [kind, name], **more}, lambda _: None)
        assert isinstance(found, dict)
        return found

    async def refused(self, kind: str, name: str, **more: object) -> PosternError:
        """Why it is not taken off."""
        with pytest.raises(PosternError) as caught:
            await self.remove(kind, name, **more)
        return caught.value

    async def came(self, wanted: Update, end: End | None = End.KEPT) -> UpdateRow:
        """An update in the store, at its end."""

        def write(db):
            assert rows.begin(db, wanted, 1)
            row = rows.running(db)[-1]
            return rows.move(db, row, Standing(Step.KEEP, end=end), row.noted, 2) if end else row

        return await self.store.write(write)

    async def want(self, *wanted: Update) -> None:
        """The desired state that the node runs by."""
        document = json.dumps({"updates": [one.model_dump() for one in wanted]}).encode()

        def write(db):
            db.execute("DELETE FROM desired")
            db.execute(
                "INSERT INTO desired(generation, hash, document, state, received_ms) VALUES (1, x'', ?, 'applied', 1)",
                [document],
            )

        await self.store.write(write)

    async def states(self) -> list[tuple[str, str]]:
        return [
            (row.update.version, str(row.standing.end or "running"))
            for row in await self.store.read(rows.listing)
        ]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    paths = site_paths(tmp_path / "site")
    store = Store.open(paths)
    base = await KnowledgeBase.open(store, Embedder(), "none")
    yield Site(store, base, PushedPolicies(paths.pushed_policies), KnowledgeInstaller(paths.packs, base))
    await base.close()
    await store.close()


async def test_a_policy_is_taken_off_and_another_fits_again(site: Site) -> None:
    for number in range(PUSHED_MAX - 1):
        site.pushed.put(f"p{number}", POLICY)
    site.pushed.put("quiet", POLICY)
    await site.came(QUIET)
    assert not site.pushed.takes("new")
    asked = await site.refused("policy", "quiet")
    assert ("--yes" in asked.remedy, len(site.pushed())) == (True, PUSHED_MAX)
    assert await site.remove("policy", "quiet", yes=True) == {
        "kind": "policy",
        "name": "quiet",
        "version": "1.0",
    }
    assert (len(site.pushed()), site.pushed.takes("new")) == (PUSHED_MAX - 1, True)
    assert await site.states() == [("1.0", "removed")]
    assert (await site.refused("policy", "quiet", yes=True)).code == "no_such_update"

    def told(db):
        query = "SELECT payload FROM outbox WHERE kind = 'update.step' ORDER BY sequence DESC LIMIT 1"
        return json.loads(db.execute(query).fetchone()[0])

    last = await site.store.read(told)
    assert (last["step"], last["outcome"], last["reason"]) == ("roll_back", "done", "removed")

    def audit(db):
        query = "SELECT actor, object, outcome FROM audit WHERE action = 'updates.remove' ORDER BY id"
        return [tuple(row) for row in db.execute(query)]

    assert of_operation("updates.remove").kind == "delete"
    rows_of_it = await site.store.read(audit)
    assert ("anna", "policy quiet", "done") in rows_of_it
    assert [outcome for *_, outcome in rows_of_it] == ["begun", "failed", "begun", "done", "begun", "failed"]


async def test_a_pack_goes_with_its_documents_and_nothing_else(site: Site, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "lifts").mkdir(parents=True)
    (own / "lifts" / "ours.md").write_text("# Ours\n\nThe stairs.\n")
    await site.base.add([own])
    files = {
        "north.md": b"# North\n\nThe lift is left.\n",
        "deep/south.md": b"# South\n\nThe lift is right.\n",
    }
    staged = await site.packs.stage(LIFTS, content(files, tmp_path / "b", "1.0", "knowledge", "lifts"))
    await site.packs.activate(LIFTS, staged, "")
    await site.packs.keep(LIFTS, staged, "")
    await site.came(LIFTS)
    assert await ids(site.base) == {"lifts/ours.md", "lifts/north.md", "lifts/deep/south.md"}
    await site.remove("knowledge", "lifts")
    assert await ids(site.base) == {"lifts/ours.md"}
    assert not Path(staged).exists()
    assert await site.packs.way_back(LIFTS, "") == ""


async def test_what_is_wanted_or_under_way_stays(site: Site) -> None:
    site.pushed.put("quiet", POLICY)
    await site.came(QUIET)
    await site.want(QUIET)
    wanted = await site.refused("policy", "quiet", yes=True)
    assert (wanted.code, "come back" in wanted.detail) == ("update_stays", True)
    await site.want(update("policy", "other"), update("knowledge", "quiet"))
    under_way = await site.came(update("policy", "quiet", "2.0"), None)
    assert "under way" in (await site.refused("policy", "quiet", yes=True)).detail
    assert (len(site.pushed()), await site.states()) == (1, [("2.0", "running"), ("1.0", "kept")])
    end = Standing(Step.GATE, end=End.REFUSED)
    await site.store.write(lambda db: rows.move(db, under_way, end, under_way.noted, 3))
    assert (await site.remove("policy", "quiet", yes=True))["version"] == "1.0"
    assert site.pushed() == ()


async def test_what_a_control_plane_wanted_that_is_gone_is_taken_off(site: Site) -> None:
    """Its last word is all that the node has, and nobody can take it back."""
    site.pushed.put("quiet", POLICY)
    await site.came(QUIET)
    await site.want(QUIET)
    assert "--gone" in (await site.refused("policy", "quiet", yes=True)).remedy
    assert "--yes" in (await site.refused("policy", "quiet", gone=True)).remedy
    assert (await site.remove("policy", "quiet", yes=True, gone=True))["version"] == "1.0"
    assert (site.pushed(), await site.states()) == ((), [("1.0", "removed")])


@pytest.mark.parametrize("kind", ["model", "software"])
async def test_what_must_serve_is_replaced(site: Site, kind: str) -> None:
    await site.came(update(kind, "postern"))
    refused = await site.refused(kind, "postern", yes=True)
    assert (refused.code, "another" in refused.remedy.lower()) == ("update_stays", True)
    assert await site.states() == [("1.0", "kept")]


async def test_names_are_names_and_nothing_beside_them_is_touched(site: Site) -> None:
    for kind, name in (("policy", "../policy"), ("knowledge", ".."), ("key", "quiet")):
        with pytest.raises(BadArguments):
            await site.remove(kind, name, yes=True)
    assert (await site.refused("knowledge", "nobody")).code == "no_such_update"


async def test_what_a_stop_cut_off_is_done_by_asking_again(site: Site) -> None:
    """It is known as taken off, and the policy still narrows."""
    await site.came(QUIET)
    await site.store.write(lambda db: rows.take_off(db, "policy", "quiet", 3))
    site.pushed.put("quiet", POLICY)
    assert await site.remove("policy", "quiet", yes=True) == {
        "kind": "policy",
        "name": "quiet",
        "version": "",
    }
    assert site.pushed() == ()


async def test_what_was_taken_off_is_carried_out_anew_when_it_is_wanted_again(site: Site) -> None:
    await site.came(update("policy", "quiet", "1.0", "r1"))
    await site.came(update("policy", "quiet", "2.0", "r2"))
    site.pushed.put("quiet", POLICY)
    await site.remove("policy", "quiet", yes=True)
    for version, rollout in (("2.0", "r2"), ("1.0", "r1")):
        again = update("policy", "quiet", version, rollout)
        assert await site.store.write(lambda db, again=again: rows.begin(db, again, 5))


def test_without_it_the_sites_own_holds(tmp_path: Path) -> None:
    """What the operation says of it is what `Policies` does."""
    pushed = PushedPolicies(tmp_path)
    pushed.put("quiet", POLICY)
    policies = Policies(PolicyFile(site_paths(tmp_path)), None, pushed)
    assert len(policies.narrowing()) == 1
    pushed.put("quiet", "")
    assert policies.narrowing() == ()
