"""What the guard lets the ledger say of a text, and what opens that again."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from edge.chat.session import Session
from edge.egress.text import guard as text_guard
from edge.egress.text.handover import Admitted
from edge.privacy import policy, policy_files
from edge.privacy.policies_used import PoliciesUsed
from edge.store.subjects import load_key, of_session, shred_key
from tests.unit.edge.egress.text.guard_rig import NOW, POLICY, QUESTION, GuardRig, reason_of


async def test_the_policy_of_a_text_is_kept_under_the_hash_that_its_envelope_names(
    rig: GuardRig, session: Session
) -> None:
    first, again = await rig.ask(session), await rig.ask(session)
    policy_files.save(rig.paths, POLICY + "\n# Nothing else.\n", NOW)
    same = await rig.ask(session)
    policy_files.save(rig.paths, POLICY.replace("bytes_per_hour = ", "bytes_per_hour = 1"), NOW)
    other = await rig.ask(session)
    digests = []
    for found in (first, again, same, other):
        assert isinstance(found, Admitted)
        assert found.envelope is not None
        assert found.envelope.verdict == "public"
        path = rig.paths.policies_used / f"{found.envelope.policy.hex()}.json"
        assert hashlib.sha256(path.read_bytes()).digest() == found.envelope.policy
        digests.append(found.envelope.policy)
    assert len(set(digests[:3])) == 1
    assert digests[3] != digests[0]


async def test_the_salt_of_a_text_opens_with_its_subjects_key_and_no_other(
    rig: GuardRig, session: Session
) -> None:
    found = await rig.ask(session)
    assert isinstance(found, Admitted)
    assert found.envelope is not None
    name = found.envelope.identifier.hex()
    rows = await rig.store.read(
        lambda db: db.execute(
            "SELECT envelope, salt FROM text_uses WHERE session = ?", [session.id]
        ).fetchall()
    )
    assert [row[0] for row in rows] == [name]
    key = await rig.store.read_keys(lambda keys: load_key(keys, of_session(session.id)))
    assert key is not None
    assert key.open("text_uses", name, "salt", rows[0][1]) == found.envelope.salt
    other = await rig.session()
    theirs = await rig.store.read_keys(lambda keys: load_key(keys, of_session(other.id)))
    assert theirs is not None
    with pytest.raises(InvalidTag):
        theirs.open("text_uses", name, "salt", rows[0][1])


async def test_no_text_goes_under_a_policy_that_cannot_be_kept(rig: GuardRig, session: Session) -> None:
    rig.paths.policies_used.write_bytes(b"a file in the place of the folder")
    assert reason_of(await rig.ask(session)) == "failed"


async def test_the_first_texts_under_a_policy_may_come_at_once(rig: GuardRig) -> None:
    sessions = [await rig.session() for _ in range(16)]
    found = await asyncio.gather(*map(rig.ask, sessions))
    assert all(isinstance(one, Admitted) for one in found), found


def test_a_set_of_policies_is_known_only_once_it_is_on_the_disk(tmp_path: Path) -> None:
    used = PoliciesUsed(tmp_path / "policies")
    first = (policy.parse(POLICY),)
    assert used.noted(()) is None
    assert used.noted(first) is None
    digest = used.note(first)
    assert (tmp_path / "policies" / f"{digest.hex()}.json").exists()
    assert used.noted([*first]) == digest
    assert used.noted((policy.parse(POLICY.replace('name = "Test"', 'name = "Other"')),)) is None


async def test_a_conversation_whose_key_was_shredded_lets_nothing_go(rig: GuardRig, session: Session) -> None:
    await rig.store.write_keys(lambda keys: shred_key(keys, of_session(session.id)))
    assert reason_of(await rig.ask(session)) == "session"
    assert rig.scans.calls == 0


async def test_a_clock_that_is_set_back_frees_nothing(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of the day before count again: what the last text saw of them is not enough."""
    rig.sign(POLICY.replace("bytes_per_day = 4_000", "bytes_per_day = 140"))  # the long text, or two
    day, now = 86_400_000, text_guard._now_ms()
    monkeypatch.setattr(text_guard, "_now_ms", lambda: now)
    assert isinstance(await rig.ask(session, f"{QUESTION} {QUESTION} {QUESTION}"), Admitted)
    now += day + 1
    assert isinstance(await rig.ask(session), Admitted)
    now -= 2
    assert reason_of(await rig.ask(session)) == "policy_bytes_per_day"
    now += 2
    assert isinstance(await rig.ask(session), Admitted)
