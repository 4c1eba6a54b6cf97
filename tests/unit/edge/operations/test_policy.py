"""The policy for people: in words, tried before it is signed, signed with a row of audit; nothing kept of a text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import typer
from typer.testing import CliRunner

from core.errors import PosternError
from edge.commands import policy as cli_policy
from edge.doctor import _policy
from edge.operations.arguments import BadArguments
from edge.operations.policy import PolicyOperations
from edge.operations.policy_words import in_words, measured, why
from edge.privacy.policies import PolicyFile
from edge.privacy.policy import Action, BadPolicy, Purpose, parse
from edge.privacy.scanning import ScanFailed
from edge.site_setup import policy_pack, policy_packs
from edge.store.audit import AuditFilter, search
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.rates import NOTHING_MEASURED
from models.detect.rates import parse as parse_rates
from tests.unit.edge.egress.text.guard_rig import POLICY, RATES, GuardRig, guard_rig

TEXT = "I am Anna Miller, please ring me on 020 7946 0958 about the office."
TODAY = datetime.now(UTC)


class Asked:
    """The operations on a rig, called as the command line does."""

    def __init__(self, rig: GuardRig) -> None:
        self.rig = rig
        file = PolicyFile(rig.paths)
        self._table = PolicyOperations(rig.paths, rig.store, file, rig.policies, rig.guard, RATES).table()

    async def __call__(self, name: str, **arguments: object) -> Any:
        return await self._table[name](arguments, lambda _: None)

    async def previewed(self, text: str = TEXT, **more: object) -> dict[str, Any]:
        found = await self("privacy.preview", text=text, **more)
        return {one["purpose"]: one for one in found["purposes"]}


@pytest_asyncio.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    async with guard_rig(tmp_path / "site") as rig:
        always = POLICY.replace("mon-fri 08:00-18:00", "daily 00:00-24:00")
        rig.sign(always.replace("2024-02-01", str((TODAY + timedelta(days=365)).date())))
        yield Asked(rig)


async def test_what_would_leave_for_each_purpose(asked: Asked) -> None:
    found = await asked.previewed()
    assert found["overflow"]["action"] == "redact"
    assert found["overflow"]["text"] == "I am [PERSON], please ring me on [PHONE] about the office."
    assert (found["overflow"]["rule"], found["overflow"]["consent"]) == ("overflow.personal", True)
    assert (found["lan_llm"]["action"], found["lan_llm"]["text"]) == ("allow", TEXT)
    assert (found["ticket"]["action"], found["ticket"]["text"]) == ("refuse", None)
    assert found["ticket"]["why"] == "the policy does not name this purpose"


async def test_a_policy_is_tried_before_it_is_signed(asked: Asked) -> None:
    stricter = policy_pack("clinic", TODAY)
    assert (await asked.previewed(policy=stricter))["overflow"]["rule"] == "overflow.personal"
    assert (await asked.previewed(policy=stricter))["overflow"]["text"] is None
    assert (await asked.previewed())["overflow"]["text"]  # what is in force has not changed
    with pytest.raises(BadPolicy):
        await asked.previewed(policy="nonsense")


async def test_without_a_policy_the_preview_says_that_nothing_leaves(asked: Asked) -> None:
    asked.rig.paths.policy.unlink()
    found = await asked.previewed()
    assert {(one["action"], one["rule"], one["why"]) for one in found.values()} == {
        ("refuse", "policy_missing", "no policy is in force")
    }


async def test_a_detector_that_fails_is_an_error_and_no_clean_text(asked: Asked) -> None:
    asked.rig.scans.does = lambda texts: [None]
    with pytest.raises(Exception) as caught:
        await asked.previewed()
    assert "Miller" not in str(caught.value)
    asked.rig.scans.does = lambda texts: []
    with pytest.raises(ScanFailed):
        await asked.previewed()


async def test_a_value_is_hidden_where_it_stands_again_as_in_a_text_that_goes(asked: Asked) -> None:
    found = await asked.previewed("My name is Anna Miller. Would you please call ANNA  MILLER back?")
    assert found["overflow"]["text"] == "My name is [PERSON]. Would you please call [PERSON] back?"


async def test_the_last_look_counts_in_a_preview_too(asked: Asked) -> None:
    """A detector that lost a telephone number."""
    asked.rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts]
    one = (await asked.previewed())["overflow"]
    assert (one["action"], one["rule"], one["text"]) == ("refuse", "unmasked_form", None)
    assert "not found at first" in one["why"]


async def test_where_names_were_not_looked_for_a_preview_says_so(asked: Asked) -> None:
    asked.rig.scans.does = lambda texts: [Finding((), Label.PUBLIC, complete=False) for _ in texts]
    found = await asked.previewed("When is the office open on Saturday?")
    assert (found["overflow"]["rule"], found["lan_llm"]["action"]) == ("overflow.incomplete", "allow")
    assert "names" in found["overflow"]["why"]


async def test_what_a_preview_leaves_out_is_said(asked: Asked) -> None:
    assert "budget" in (await asked("privacy.preview", text=TEXT))["steps"]


def test_a_text_to_try_can_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[object] = []

    def operate(site: object, name: str, arguments: object) -> object:
        asked_for.append(arguments)
        raise typer.Exit(0)

    monkeypatch.setattr(cli_policy, "operate_on", operate)
    app = typer.Typer()
    app.command()(cli_policy.privacy_preview)
    for text, expected in (("-", TEXT), (TEXT, TEXT)):
        CliRunner().invoke(app, ["--site", "here", text], input=TEXT)
        assert asked_for.pop() == {"text": expected, "policy": None}


async def test_nothing_of_a_text_is_kept(asked: Asked) -> None:
    await asked.previewed()
    tables = await asked.rig.store.read(
        lambda db: [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    )
    rows = await asked.rig.store.read(
        lambda db: "".join(str(row) for name in tables for row in db.execute(f"SELECT * FROM {name}"))
    )
    assert "Miller" not in rows
    assert "7946 0958" not in rows


async def test_signing_is_written_down(asked: Asked) -> None:
    before = (await asked("privacy.policy.show"))["policy"]["name"]
    signed = await asked("privacy.policy.sign", pack="bank", actor="dana")
    assert (before, signed["name"]) == ("Test", "Bank")
    shown = await asked("privacy.policy.show")
    assert (shown["policy"]["name"], shown["trouble"], shown["can_sign"]) == ("Bank", None, True)
    rows = await asked.rig.store.read(lambda db: search(db, AuditFilter(action="privacy.sign"), 5))
    assert [(row.actor, row.outcome) for row in rows] == [("dana", "done"), ("dana", "begun")]
    assert rows[0].object.startswith("Bank until ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, BadArguments),
        ({"pack": "bank", "policy": "x"}, BadArguments),
        ({"policy": "x"}, BadPolicy),
        ({"policy": 'format = 1\nname = "old"\nvalid_until = 2020-01-01\n'}, BadPolicy),
        ({"pack": "castle"}, PosternError),
    ],
)
async def test_what_cannot_be_signed_leaves_what_is_in_force(
    asked: Asked, arguments: dict[str, str], error: type[PosternError]
) -> None:
    with pytest.raises(error):
        await asked("privacy.policy.sign", **arguments)
    assert (await asked("privacy.policy.show"))["policy"]["name"] == "Test"


async def test_a_key_that_is_kept_elsewhere_signs_nothing_and_says_so(asked: Asked) -> None:
    asked.rig.paths.policy_key.unlink()
    with pytest.raises(PosternError):
        await asked("privacy.policy.sign", pack="bank")
    rows = await asked.rig.store.read(lambda db: search(db, AuditFilter(action="privacy.sign"), 5))
    assert [row.outcome for row in rows] == ["failed", "begun"]
    assert not (await asked("privacy.policy.show"))["can_sign"]


async def test_checks(asked: Asked) -> None:
    assert (await asked("privacy.policy.check"))["ok"]
    looser = await asked("privacy.policy.check", policy=policy_pack("public-office", TODAY))
    assert (looser["ok"], looser["stricter"]) == (True, False)
    assert (await asked("privacy.policy.check", policy=policy_pack("empty", TODAY)))["stricter"]
    assert not (await asked("privacy.policy.check", policy="valid_until = 1"))["ok"]
    asked.rig.paths.policy.write_text(POLICY)
    found = await asked("privacy.policy.check")
    assert (found["ok"], "postern privacy policy sign" in found["remedy"]) == (False, True)
    shown = await asked("privacy.policy.show")
    assert shown["trouble"]["code"] == "policy_unsigned"
    assert shown["text"].strip() == POLICY.strip()


async def test_the_doctor_looks_at_the_policy(asked: Asked) -> None:
    assert _policy(asked.rig.paths).ok
    soon = (datetime.now().astimezone() + timedelta(days=29)).date()
    asked.rig.sign(f'format = 1\nname = "Soon"\nvalid_until = {soon}\n')
    assert (_policy(asked.rig.paths).ok, _policy(asked.rig.paths).severity) == (False, "warning")
    asked.rig.sign('format = 1\nname = "Old"\nvalid_until = 2020-01-01\n')
    assert (_policy(asked.rig.paths).ok, _policy(asked.rig.paths).severity) == (False, "error")
    asked.rig.paths.policy.unlink()
    assert (_policy(asked.rig.paths).ok, _policy(asked.rig.paths).severity) == (False, "warning")


# --- words ---


@pytest.mark.parametrize("pack", policy_packs())
def test_packs_are_told_in_sentences(pack: str) -> None:
    paragraphs = in_words(parse(policy_pack(pack, TODAY)), NOTHING_MEASURED)
    assert [paragraph.purpose for paragraph in paragraphs] == list(Purpose)
    told = " ".join(sentence for paragraph in paragraphs for sentence in paragraph.sentences)
    assert ("English: not measured, so no text goes." in told) == (pack != "empty")
    assert paragraphs[-1].sentences == ("No text goes.",)


def test_what_was_measured_is_told_with_its_sample() -> None:
    rates = parse_rates("language.en.PERSON = { missed = 30, of = 1000 }")
    told = "names: 3.00% of 1,000 were missed when it was measured (95 %: at most 4.25%)."
    assert measured("en", rates) == told
    assert measured("en", rates, 0.05) == told
    assert measured("en", rates, 0.01) == f"{told} Of names too many, so no text goes."


@pytest.mark.parametrize(("missed", "stays"), [(3, False), (30, True)])
def test_where_the_detector_misses_too_much_it_is_said_that_nothing_goes(missed: int, stays: bool) -> None:
    """What the packs tolerate is one in twenty or less, whatever was found well."""
    rates = parse_rates(
        f"language.en.PERSON = {{ missed = {missed}, of = 1000 }}\n"
        "language.en.EMAIL = { missed = 0, of = 1000000 }"
    )
    for pack, bound in (("clinic", "5%"), ("public-office", "5%"), ("bank", "1%")):
        overflow = in_words(parse(policy_pack(pack, TODAY)), rates)[0].sentences
        assert any(f"at most {bound} of what it misses most of: names" in sentence for sentence in overflow)
        nothing = "So with this release's detector no text goes: all of it stays here."
        assert (nothing in overflow) == (stays and pack == "bank")


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("overflow", "does not name"),
        ("overflow.special", "health"),
        ("overflow.sticky_from", "before"),
        ("overflow.types.PERSON", "found"),
        ("overflow.bytes_per_day", "day"),
        ("valid_until", "expired"),
        ("policy_unsigned", "no policy"),
    ],
)
def test_every_rule_has_a_reason(rule: str, part: str) -> None:
    assert part in why(Action.REFUSE, rule)
