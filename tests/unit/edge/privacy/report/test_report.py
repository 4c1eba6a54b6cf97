"""What a report says: its structure for the sample sites, nothing that is not so, no name and no word of anybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel

from edge.config import Config
from edge.privacy import policy_files
from edge.privacy.report.activities import ACTIVITIES
from edge.privacy.report.assembly import report
from edge.privacy.report.document import Document, Gap, Section, Table, gaps_in, walk
from edge.privacy.report.duties import MEASURES
from edge.privacy.report.facts import EvidenceFacts, Facts, ProofFacts, TableFacts
from edge.privacy.report.hipaa import PROVISIONS
from edge.privacy.report.measure import proven
from edge.privacy.report.risks import RISKS
from edge.report_facts import ASLEEP, Sources, gather
from edge.store import api_keys, operators
from edge.store.api_keys import Allowance, Scope
from edge.store.operators import Role
from edge.store.schema import KEY_TABLES, TABLES
from tests.unit.edge.privacy.report.rig import sample_site, with_settings

GOLDEN = Path(__file__).parent / "golden"
CANARY = "Zvonimir Quackenbush"


@pytest_asyncio.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Sources]:
    async with sample_site(tmp_path) as known:
        yield known


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Of a clinic that nobody has changed."""

    async def gathered() -> Facts:
        async with sample_site(tmp_path_factory.mktemp("clinic")) as known:
            return await gather(known)

    return asyncio.run(gathered())


async def told(known: Sources) -> str:
    return report(await gather(known)).model_dump_json()


# --- structure ---


def outline(document: Document) -> str:
    """Every heading with what stands under it: kinds of blocks, captions and columns of tables, no running text."""
    lines = []
    for section, level in walk(document.sections):
        lines.append(f"{'#' * level} {section.id}: {section.title}")
        lines += [f"  {_kind(block)}" for block in section.blocks]
    return "\n".join([document.title, *lines, ""])


def _kind(block: Any) -> str:
    if isinstance(block, Table):
        return f"table {block.caption} | {' | '.join(block.columns)}"
    return str(block.kind)


@pytest.mark.parametrize("template", ["clinic", "bank"])
async def test_the_structure_of_a_sample_sites_report(template: str, tmp_path: Path) -> None:
    async with sample_site(tmp_path, template) as known:
        found = outline(report(await gather(known)))
    assert found == (GOLDEN / f"{template}.txt").read_text(encoding="utf-8"), (
        "if the change is meant: python -m tests.unit.edge.privacy.report.test_report"
    )


async def test_the_same_site_gives_the_same_facts(clinic: Sources) -> None:
    first, second = await gather(clinic), await gather(clinic)
    assert first.sha256 == second.sha256
    assert first.model_copy(update={"made_on": first.made_on - timedelta(days=1)}).sha256 == first.sha256
    assert first.model_copy(update={"software_version": "9"}).sha256 != first.sha256


def test_a_report_survives_the_admin_socket(facts: Facts) -> None:
    document = report(facts)
    assert Document.model_validate(json.loads(document.model_dump_json())) == document


# --- everything is covered ---


def test_every_table_belongs_to_one_activity() -> None:
    assigned = [name for activity in ACTIVITIES for name in activity.tables]
    assert sorted(assigned) == sorted(TABLES | KEY_TABLES)


def test_a_table_of_a_later_release_is_a_gap(facts: Facts) -> None:
    newer = TableFacts(name="faces", columns=(), kept="for ever", rows=1)
    document = report(facts.model_copy(update={"tables": (*facts.tables, newer)}))
    found = [
        block for section, _ in walk(document.sections) for block in section.blocks if isinstance(block, Gap)
    ]
    assert any("faces" in gap.text for gap in found)


def test_every_provision_and_every_risk_is_met_by_measures_that_are_there() -> None:
    known = {one.id for one in MEASURES}
    assert len(known) == len(MEASURES)
    assert {name for one in PROVISIONS for name in one.measures} <= known
    assert {name for one in RISKS for name in one.measures} <= known


# Settings that a report says something by; the value is one that it then says otherwise.
TOLD: dict[str, Any] = {
    "site.name": "Another Clinic",
    "site.id": "another",
    "http.port": 9999,
    "answer.mode": "generative",
    "answer.unrecorded": "refuse",
    "privacy.identifiers": ({"name": "Card", "type": "OTHER_ID", "pattern": "RC-[0-9]{6}"},),
    "retention.unanswered_days": 7,
    "retention.daily_counts_days": 7,
    "retention.intent_counts_days": 40,
    "retention.uses_days": 7,
    "retention.consents_days": 400,
    "retention.audit_days": 3000,
    "retention.revoked_keys_days": 7,
    "limits.session_s": 600,
    "limits.idle_wipe_s": 90,
    "limits.idle_other_s": 120,
    "handoff.keep_h": 5,
    "handoff.smtp.host": "10.0.0.9",
    "handoff.webhook.url": "https://10.0.0.8/tickets",
    "telemetry.bucket_s": 60,
    "mqtt.broker": "external",
    "console.idle_log_off_s": 120,
    "console.break_glass_minutes": 30,
    "console.behind_tls_proxy": True,
    "console.oidc.issuer": "https://10.0.0.7",
    "models.llm_server.url": "https://10.0.0.5/v1",
    "siblings.urls": ("https://10.0.0.6",),
}
# What such a change needs beside it to be settings at all, or to be told at all.
BESIDE: dict[str, dict[str, Any]] = {
    "handoff.smtp.host": {"handoff": {"smtp": {"recipients": ("desk@example.org",)}}},
    "handoff.webhook.url": {"handoff": {"webhook": {"secret_file": Path("secret")}}},
    "mqtt.broker": {"mqtt": {"host": "10.0.0.6"}},
    "console.oidc.issuer": {"console": {"oidc": {"client_id": "postern", "roles": {"desk": "desk"}}}},
    "models.llm_server.url": {"models": {"llm_server": {"model": "m", "sha256": "ab" * 32}}},
}
# A part of what is told under another name, or of no bearing on anybody's data: speed, places of files, words of cards.
UNTOLD = {
    "site.locale", "site.region", "site.suggestions", "site.you", "http.host",
    "answer.generate_deadline_s", "answer.first_token_deadline_s", "answer.overflow_after_s",
    "answer.max_new_tokens", "answer.evidence_min",
    "models.encoder", "models.runtime", "models.device", "models.llm", "models.encoder_threads",
    "models.llm_server.model", "models.llm_server.context_tokens", "models.llm_server.ca_file",
    "models.llm_server.sha256", "models.llm_server.api_key_file",
    "safety.emergency_phone", "safety.crisis_phone", "safety.card_phone", "safety.diagnosis_text", "safety.advice_text",
    "safety.cards", "card.texts", "card.per_minute", "intents.confidence_min", "intents.rules",
    "limits.text_chars_max", "limits.turns_waiting_max", "limits.turn_wait_max_s", "limits.api_waiting_max",
    "limits.api_wait_max_s", "limits.sessions_max", "limits.idle_warn_s", "limits.turns_per_minute",
    "limits.api_turns_per_minute", "limits.acts_per_minute", "limits.node_turns_per_minute",
    "limits.address_sessions_per_minute", "limits.node_sessions_per_minute", "limits.address_sessions_max",
    "limits.streams_max",
    "handoff.tickets_per_session_max", "handoff.waiting_max", "handoff.messages_max", "handoff.console_url",
    "handoff.smtp.port", "handoff.smtp.security", "handoff.smtp.username", "handoff.smtp.password_file",
    "handoff.smtp.ca_file", "handoff.smtp.sender", "handoff.smtp.recipients", "handoff.webhook.secret_file",
    "handoff.webhook.ca_file",
    "keys.tpm_tcti", "backup.mb_per_s", "backup.warn_after_days",
    "outbox.audit_mb", "outbox.state_mb", "outbox.metrics_mb", "updates.bytes_per_s", "updates.windows",
    "siblings.key_file", "siblings.ca_file",
    # What passes it is encrypted for the control plane, and no more leaves with it than without.
    "egress.proxy.url", "egress.proxy.ca_file", "egress.proxy.username", "egress.proxy.password_file",
    "mqtt.host", "mqtt.port", "mqtt.username", "mqtt.password_file", "mqtt.ca_file", "discovery.enabled",
    "console.oidc.client_id", "console.oidc.client_secret_file", "console.oidc.ca_file", "console.oidc.role_claim",
    "console.oidc.roles",
}  # fmt: skip


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_setting_is_told_or_of_no_bearing() -> None:
    assert not TOLD.keys() & UNTOLD
    assert set(settings(Config)) == TOLD.keys() | UNTOLD, (
        "does the new setting change what a report must say?"
    )


async def test_what_a_setting_says_is_in_the_report(clinic: Sources) -> None:
    await clinic.store.write(lambda db: operators.seal_break_glass(db, "terminal", ("one", "other")))
    for name, value in TOLD.items():
        *sections, last = name.split(".")
        nested: dict[str, Any] = {last: value}
        for section in reversed(sections):
            nested = {section: nested}
        before = with_settings(clinic.config, **BESIDE.get(name, {}))
        after = with_settings(before, **nested)
        assert await told(replace(clinic, config=before)) != await told(replace(clinic, config=after)), name


# --- nothing that is not so ---


async def test_what_is_switched_off_is_not_claimed(clinic: Sources) -> None:
    text = await told(clinic)
    assert "The site is enrolled at no control plane" in text
    assert "None is switched on here." in text
    assert "No program has a key" in text
    assert "no account for emergencies is sealed" in text
    assert "No text is generated." in text


async def test_what_is_switched_on_is_named_with_its_host(clinic: Sources) -> None:
    on = with_settings(clinic.config, **BESIDE["models.llm_server.url"])
    on = with_settings(
        on, models={"llm_server": {"url": "https://10.0.0.5/v1"}}, answer={"mode": "generative"}
    )
    known = replace(clinic, config=on, status={"sync": {"control_plane": "cloud.example:9443"}})
    text = await told(known)
    assert "a language model server (10.0.0.5)" in text
    assert "The site is enrolled at cloud.example:9443." in text
    assert "What the language model server at 10.0.0.5 keeps" in text
    assert "Written by AI from our documents" in text


async def test_without_a_policy_the_report_says_so(clinic: Sources) -> None:
    clinic.paths.policy.unlink()
    text = await told(clinic)
    assert "No policy is in force: The site has no privacy policy" in text
    assert "No text is handed on." in text


async def test_a_policy_that_has_expired_is_none(clinic: Sources) -> None:
    text = clinic.policy_file.signed().text
    last = str(clinic.policy_file().valid_until)
    policy_files.save(clinic.paths, text.replace(last, "2024-02-01"), datetime.now(UTC))
    assert "was valid until 2024-02-01" in await told(clinic)


async def test_a_recovery_key_that_lies_about_is_told(clinic: Sources) -> None:
    assert "The recovery key still lies on the machine" in await told(clinic)
    clinic.paths.recovery_key.unlink()
    assert "The recovery key still lies on the machine" not in await told(clinic)


async def test_an_enrolment_that_only_the_courier_may_read_is_not_denied(clinic: Sources) -> None:
    clinic.paths.courier.mkdir(exist_ok=True)
    (clinic.paths.courier / "enrolment.json").write_text("{")
    assert ASLEEP in await told(clinic)


@pytest.mark.parametrize(
    ("results", "version", "said"),
    [
        ([], "0.1.0", "No test of this release."),
        (["passed", "passed"], "0.1.0", "2 tests: all passed, 2026-11-29."),
        (["passed", "failed", "skipped"], "0.1.0", "3 tests: 1 failed, 1 passed, 1 skipped, 2026-11-29."),
        (["passed"], "0.0.9", "1 test: all passed, 2026-11-29, of version 0.0.9; 0.1.0 runs here."),
    ],
)
def test_what_holds_a_measure_up(facts: Facts, results: list[Any], version: str, said: str) -> None:
    proofs = {"keys": tuple(ProofFacts(test=f"t::{n}", result=result) for n, result in enumerate(results))}
    ran = EvidenceFacts.model_validate(
        {"run_on": "2026-11-29", "version": version, "commit": "abc", "proofs": proofs}
    )
    facts = facts.model_copy(update={"software_version": "0.1.0", "evidence": ran})
    assert proven(facts, "keys") == said
    failed = "Tests of these measures failed on this build; do not rely on them: Keeping of keys."
    assert (failed in report(facts).model_dump_json()) is ("failed" in results)


def test_without_a_run_the_tests_count_as_not_run(facts: Facts) -> None:
    blank = facts.evidence.model_copy(update={"run_on": None})
    assert proven(facts.model_copy(update={"evidence": blank}), "keys").endswith("not run on this build.")


# --- nobody in it ---


async def test_no_name_and_no_word_of_anybody_is_in_it(clinic: Sources) -> None:
    def plant(db: Any) -> None:
        operators.add(db, "terminal", CANARY.split()[0], {Role.DESK}, "hash", display_name=CANARY)
        api_keys.add(
            db,
            "terminal",
            CANARY.split()[1],
            b"x" * 32,
            frozenset({Scope.CHAT}),
            Allowance(60, 60_000, 2),
            None,
        )
        db.execute("INSERT INTO subjects VALUES (?, 0)", [CANARY])
        db.execute(
            "INSERT INTO unanswered(created_ms, text, vector, state) VALUES (0, ?, x'', 'open')", [CANARY]
        )

    await clinic.store.write(plant)
    facts = await gather(clinic)
    assert facts.rows_of("unanswered") == 1
    assert facts.staff.desk == 1
    assert facts.others.programs == facts.others.programs_without_notice == 1
    text = report(facts).model_dump_json()
    assert not [part for part in CANARY.split() if part in text]


# --- gaps ---


def test_gaps_are_counted_wherever_they_stand() -> None:
    table = Table(caption="c", columns=("a", "b"), widths=(1, 1), rows=(("x", Gap(text="g")),))
    inner = Section(id="in", title="t", blocks=(table,))
    assert gaps_in(Section(id="out", title="t", blocks=(Gap(text="h"),), sections=(inner,))) == 2


@pytest.mark.parametrize("rows", [(("x",),), (("x", "y", "z"),), ()])
def test_a_table_is_a_rectangle(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"cells|at least 1"):
        Table(caption="c", columns=("a", "b"), widths=(1, 1), rows=rows)


def test_only_the_controller_can_say_who_is_responsible(facts: Facts) -> None:
    document = report(facts)
    counted = {section.id: gaps_in(section) for section in document.sections}
    assert counted["record"] >= 18
    assert counted["dpia"] >= 15
    assert counted["processor"] >= 8


if __name__ == "__main__":
    import tempfile

    async def write(template: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with sample_site(Path(folder), template) as known:
                text = outline(report(await gather(known)))
        (GOLDEN / f"{template}.txt").write_text(text, encoding="utf-8")

    for name in ("clinic", "bank"):
        asyncio.run(write(name))
