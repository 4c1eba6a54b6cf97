"""Part of the composition root: gathers what a data protection report says of a site. Loaded when one is asked for.

No name of a person and no text of a customer is read.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from sqlite_utils import Database

from core.errors import PosternError
from core.version import VERSION
from edge.chat.notice import Notice
from edge.config import Config, SitePaths
from edge.egress.identity.identity import ENROLMENT_FILE
from edge.keys import SiteKeys
from edge.knowledge.languages import tongues
from edge.node_status import SHARED_ACCOUNT, SWAPPABLE, UNCONFINED
from edge.operations.policy_words import in_words, some_text_passes
from edge.privacy import policy_files, retention
from edge.privacy.policies import Policies, PolicyFile
from edge.privacy.policy import Purpose
from edge.privacy.report.facts import (
    ColumnFacts,
    Facts,
    KeyFacts,
    LanguageFacts,
    MissedFacts,
    ModelFacts,
    NoticeFacts,
    Others,
    PolicyFacts,
    PurposeFacts,
    SiteFacts,
    StaffFacts,
    TableFacts,
    Times,
)
from edge.privacy.report.proofs import evidence, listed
from edge.privacy.retention import Rule
from edge.store import api_keys, operators
from edge.store.api_keys import ApiKey
from edge.store.operators import Operator, Role, Seal, State
from edge.store.schema import KEY_TABLES, TABLES
from edge.store.store import Store
from models.catalog import Entry, entry, models_dir
from models.detect.rates import Rates
from models.encoder import ModelInfo

ASLEEP: Final = "a control plane (its address is told while the node runs)"
"""Enrolled, as the courier's folder says, but only the courier may read where."""

SMALL_MODELS: Final = {
    "tagger.onnx": "finds names, addresses and dates in texts",
    "special.npz": "finds special categories (GDPR Art. 9, 10) in texts",
    "safety.npz": "finds danger in questions",
    "answers.npz": "tells whether a passage answers a question",
    "ranking.json": "ranks passages",
}
"""Weights that ship with the software, by file of models/adapters."""


@dataclass(frozen=True)
class Sources:
    """Where what is said of the site comes from."""

    config: Config
    paths: SitePaths
    store: Store
    policy_file: PolicyFile
    policies: Policies
    rates: Rates
    notice: Notice
    encoder: ModelInfo
    languages: tuple[str, ...]
    documents: int
    status: Mapping[str, Any]
    """What only a running node knows; empty without one."""


async def gather(known: Sources) -> Facts:
    """All that a report says, as it is now."""
    counts = await known.store.read(lambda db: _counts(db, TABLES))
    counts |= await known.store.read_keys(lambda db: _counts(db, KEY_TABLES))
    staff = await known.store.read(operators.listing)
    seal = await known.store.read(operators.seal)
    programs = await known.store.read(api_keys.listing)
    return Facts(
        made_on=datetime.now().astimezone().date(),
        software_version=VERSION,
        site=_site(known),
        times=times_of(known.config),
        others=_with_programs(_others(known), programs, known.notice),
        policy=_policy(known),
        models=_models(known),
        measured_on=known.rates.measured_on,
        languages=tuple(languages_of(known.rates)),
        tables=tuple(tables_of(known.config, counts)),
        staff=staff_of(staff, sealed=seal is Seal.WHOLE),
        keys=_keys(known.paths, known.store.keys),
        notice=NoticeFacts(version=known.notice.version, text=known.notice.text),
        evidence=evidence(listed(), models_dir().parent),
    )


def _site(known: Sources) -> SiteFacts:
    config, shared = known.config, _fallen_back(known, SHARED_ACCOUNT, UNCONFINED)
    return SiteFacts(
        name=config.site.name,
        id=config.site.id,
        locale=config.site.locale,
        region=config.site.region,
        processes_apart=None if shared is None else not shared,
        memory_can_be_swapped=_fallen_back(known, SWAPPABLE),
        behind_tls_proxy=config.console.behind_tls_proxy,
        port=config.http.port,
        answer_mode=config.answer.mode,
        unrecorded=config.answer.unrecorded,
        languages=known.languages,
        own_identifiers=len(config.privacy.identifiers),
        documents=known.documents,
    )


def _fallen_back(known: Sources, *weaker: tuple[str, str]) -> bool | None:
    """Whether the running node says so of itself. Without one nobody knows: whoever asks may be another user, root."""
    said = known.status.get("fallbacks")
    return None if said is None else any(":".join(one) in said for one in weaker)


def times_of(config: Config) -> Times:
    """What ends by itself."""
    limits = config.limits
    return Times(
        kiosk_silence_s=limits.idle_wipe_s,
        other_silence_s=limits.idle_other_s,
        conversation_s=limits.session_s,
        ticket_h=config.handoff.keep_h,
        staff_idle_s=config.console.idle_log_off_s,
        emergency_s=config.console.break_glass_minutes * 60,
    )


def _others(known: Sources) -> Others:
    config = known.config
    return Others(
        llm_server=_host(config.models.llm_server.url),
        llm_server_model=config.models.llm_server.model,
        mail=config.handoff.smtp.host or "",
        webhook=_host(config.handoff.webhook.url),
        login_provider=_host(config.console.oidc.issuer),
        broker=config.mqtt.broker,
        broker_host=config.mqtt.host if config.mqtt.broker == "external" else "",
        announced=config.discovery.enabled,
        siblings=tuple(map(_host, config.siblings.urls)),
        control_plane=_control_plane(known),
        counts_every_s=config.telemetry.bucket_s,
    )


def _host(url: str | None) -> str:
    return (urlsplit(url or "").hostname) or ""


def _control_plane(known: Sources) -> str:
    """Where the site is enrolled. A running node was told by the courier, whose folder it may not read."""
    sync = known.status.get("sync")
    if sync is not None:
        return str(sync["control_plane"])
    try:
        enrolment = json.loads((known.paths.courier / ENROLMENT_FILE).read_bytes())
        return str(enrolment["sync_endpoint"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError):
        return ASLEEP


def _with_programs(others: Others, keys: Iterable[ApiKey], notice: Notice) -> Others:
    work = [key for key in keys if key.revoked_ms is None]
    unbound = [key for key in work if key.notice_version != notice.version]
    return others.model_copy(update={"programs": len(work), "programs_without_notice": len(unbound)})


def _policy(known: Sources) -> PolicyFacts:
    try:
        signed = known.policy_file.signed()
    except PosternError as error:
        return PolicyFacts(trouble=error.title)
    policy, used = signed.policy, _used(known)
    if policy.valid_until < datetime.now().astimezone().date():
        return PolicyFacts(trouble=f"“{policy.name}” was valid until {policy.valid_until}")
    return PolicyFacts(
        name=policy.name,
        signed_on=signed.signed_at.date(),
        valid_until=policy.valid_until,
        purposes=tuple(
            PurposeFacts(
                purpose=told.purpose,
                title=told.title,
                open=some_text_passes(policy.rules(told.purpose), known.rates),
                used=told.purpose in used,
                sentences=told.sentences,
            )
            for told in in_words(policy, known.rates)
        ),
        tightened_by=known.policies.cloud.name if known.policies.cloud else "",
    )


def _used(known: Sources) -> set[Purpose]:
    """For what something at this site hands text on: words of a model's, where the site wants them. A notification of a
    ticket has none of the customer's in it."""
    config = known.config
    return {
        *([Purpose.LAN_LLM] if config.models.llm_server.url else []),
        *([Purpose.OVERFLOW] if config.answer.mode == "generative" and _control_plane(known) else []),
    }


def _models(known: Sources) -> tuple[ModelFacts, ...]:
    """The encoder that serves, the language model where one writes, and what ships with the software."""
    info = known.encoder
    encoder = ModelFacts(
        does="reads questions and documents",
        name=info.model,
        version=info.version,
        sha256=info.sha256,
        licence=_licence(info.model),
    )
    small = [
        ModelFacts(does=does, name=name, version=VERSION, sha256=_sha256(name), licence="Apache-2.0")
        for name, does in SMALL_MODELS.items()
    ]
    return (encoder, *_writer(known.config), *small)


def _writer(config: Config) -> tuple[ModelFacts, ...]:
    if config.answer.mode != "generative":
        return ()
    server = config.models.llm_server
    if server.url:
        what = f"writes answers, on {_host(server.url)}"
        return (ModelFacts(does=what, name=server.model, version="", sha256="", licence=""),)
    if not config.models.llm:
        return ()
    found = _entry(config.models.llm)
    return (
        ModelFacts(
            does="writes answers",
            name=config.models.llm,
            version=found.version if found else "",
            sha256=found.source.sha256 if found else "",
            licence=found.licence if found else "",
        ),
    )


def _licence(model: str) -> str:
    found = _entry(model)
    return found.licence if found else ""


def _entry(model: str) -> Entry | None:
    try:
        return entry(model)
    except PosternError:
        return None


def _sha256(name: str) -> str:
    return hashlib.sha256(files("models.adapters").joinpath(name).read_bytes()).hexdigest()


def languages_of(rates: Rates) -> Iterable[LanguageFacts]:
    """What was measured of the detector, by language."""
    for code in rates.language:
        if found := rates.of(code):
            groups = tuple(
                MissedFacts(group=name, missed=rate.missed, of=rate.of, at_most=rate.at_most)
                for name, rate in found.groups.items()
            )
            tongue = tongues().get(code)
            yield LanguageFacts(code=code, name=tongue.name if tongue else code, missed=groups)


def tables_of(config: Config, counts: Mapping[str, int]) -> Iterable[TableFacts]:
    """Every table with its tags, its rule and how many rows it has."""
    rules = retention.rules(config.retention)
    for name, table in (TABLES | KEY_TABLES).items():
        columns = tuple(
            ColumnFacts(
                name=column,
                kind=tag.kind,
                purpose=tag.purpose,
                retention=tag.retention,
                exported=tag.exported,
            )
            for column, tag in table.columns.items()
        )
        yield TableFacts(name=name, columns=columns, kept=_kept(rules[name]), rows=counts.get(name, 0))


def _kept(rule: Rule) -> str:
    return f"{rule.kept} {rule.ends}" if rule.purged and rule.days else rule.ends


def _counts(db: Database, tables: Iterable[str]) -> dict[str, int]:
    return {
        name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - names of ours
        for name in tables
    }


def staff_of(staff: Iterable[Operator], *, sealed: bool) -> StaffFacts:
    """How many of the active have which role."""
    active = [one for one in staff if one.state is State.ACTIVE]
    roles = Counter(role for one in active for role in one.roles)
    return StaffFacts(
        technicians=roles[Role.TECHNICIAN],
        desk=roles[Role.DESK],
        data_protection=roles[Role.DATA_PROTECTION],
        from_provider=sum(one.single_sign_on for one in active),
        emergency_account=sealed,
    )


def _keys(paths: SitePaths, keys: SiteKeys) -> KeyFacts:
    return KeyFacts(
        root_in=keys.root_in,
        policy_key_here=policy_files.can_sign(paths),
        recovery_key_here=paths.recovery_key.exists(),
    )
