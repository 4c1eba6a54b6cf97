"""The text guard with a real store and a signed policy; its detector does what a test says, well or badly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from edge.chat.session import Channel, Session, Sessions
from edge.config import LimitsSection, SitePaths
from edge.egress.text.guard import TextGuard
from edge.egress.text.handover import Admitted, Handover, Part, Source, TextRefusal
from edge.egress.text.looking import Instruments
from edge.knowledge.languages import detect
from edge.operations.policy import PolicyOperations
from edge.privacy import policy_files
from edge.privacy.policies import Policies, PolicyFile
from edge.privacy.policies_used import PoliciesUsed
from edge.privacy.policy import Documents, Purpose
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from edge.privacy.pseudonyms.vault import Vault
from edge.store.store import Store
from edge.store.subjects import SubjectKey
from models.detect.detector import Detector, Finding
from models.detect.label import Label, label_of
from models.detect.rates import parse as parse_rates
from models.detect.spans import Span

T = TypeVar("T")

KEY = b"k" * 32
NOW = datetime(2024, 1, 8, 12, tzinfo=UTC)  # a Monday
RATES = parse_rates("language.en.PERSON = { missed = 10, of = 10000 }")
NAMES = ("Anna Miller", "Tom Baker")
QUESTION = "When is the office open on Saturday?"
POLICY = """
format = 1
name = "Test"
valid_until = 2024-02-01
[overflow]
public = "allow"
internal = "redact"
personal = "redact"
special = "refuse"
languages = ["en"]
risk = "moderate"
documents = "public"
consent = true
hours = ["mon-fri 08:00-18:00"]
bytes_per_hour = 2_000
bytes_per_day = 4_000
bytes_per_session = 1_000
[overflow.types]
PASSWORD = "refuse"
[lan_llm]
public = "allow"
internal = "allow"
personal = "allow"
special = "allow"
languages = "all"
risk = "any"
documents = "staff"
consent = false
hours = ["daily 00:00-24:00"]
bytes_per_hour = 1_000_000
bytes_per_day = 1_000_000
bytes_per_session = 1_000_000
"""


class ScriptedScans:
    """Forms as the product finds them, NAMES as a tagger would, and "diabetes" as special; or whatever `does` says."""

    def __init__(self) -> None:
        self._detector = Detector("GB")
        self.does: Callable[[Sequence[str]], Any] | None = None
        self.calls = 0
        self.version = "1"
        self.failing = False
        self.seen: list[str] = []
        self.called = asyncio.Event()

    async def scan_all(self, texts: Sequence[str], *, deadline_s: float | None) -> Sequence[Finding]:
        self.calls += 1
        self.seen += texts
        self.called.set()
        if self.does is None:
            return [self.finding(text) for text in texts]
        found = self.does(texts)
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[no-any-return]

    def finding(self, text: str) -> Finding:
        spans = [*self.forms(text).spans]
        for name in NAMES:
            # The first time only: a detector may miss the second.
            if match := re.search(rf"\b{name}\b", text):
                spans.append(Span("PERSON", match.start(), match.end(), 0.9))
        spans.sort(key=lambda span: span.start)
        return Finding(tuple(spans), label_of(spans, "diabetes" in text), complete=True)

    def forms(self, text: str, *, trade: bool = True) -> Finding:
        return self._detector.forms(text, trade=trade)


class FailingVault(Vault):
    """The product's, with a fault for a test."""

    error: Exception | None = None

    async def keep(self, pseudonyms: Pseudonyms, key: SubjectKey, beside: Callable[[Database], T]) -> T:
        if self.error:
            raise self.error
        return await super().keep(pseudonyms, key, beside)


@dataclass
class GuardRig:
    """A guard, and everything around it that can break."""

    guard: TextGuard
    instruments: Instruments
    paths: SitePaths
    store: Store
    sessions: Sessions
    scans: ScriptedScans
    vault: FailingVault
    policies: Policies
    policies_used: PoliciesUsed
    clock: list[datetime]

    def restarted(self, vault: Vault) -> TextGuard:
        """Another guard on the same store."""
        return TextGuard(
            KEY, self.store, self.policies, self.policies_used, vault, self.instruments, lambda: NOW
        )

    async def session(self, *, consent: bool = True) -> Session:
        made = await self.sessions.create(Channel.KIOSK, "en")
        return await self.sessions.consent(made.session, "v1", consent)

    async def ask(
        self,
        session: Session,
        text: str = QUESTION,
        *passages: str,
        purpose: Purpose = Purpose.OVERFLOW,
    ) -> Admitted | TextRefusal:
        parts = (Part(text, Source.CUSTOMER), *(Part(one, Source.PUBLIC) for one in passages))
        documents = Documents.PUBLIC if passages else Documents.NONE
        return await self.guard.admit(handover(purpose, session, parts, documents))

    def sign(self, text: str) -> None:
        policy_files.save(self.paths, text, NOW)


def handover(
    purpose: Purpose, session: Session, parts: Sequence[Part], documents: Documents = Documents.NONE
) -> Handover:
    """All parts said by the user."""
    return Handover(purpose, session.id, tuple(parts), documents, (("user", len(parts)),), 64)


def of_label(text: str, label: Label) -> Finding:
    """A finding without spans."""
    return Finding((), label, complete=True)


def instruments_of(scans: ScriptedScans) -> Instruments:
    return Instruments(scans, scans.forms, detect, RATES, lambda: scans.version, lambda: scans.failing)


@asynccontextmanager
async def guard_rig(folder: Path) -> AsyncIterator[GuardRig]:
    paths = SitePaths(folder)
    paths.keys.mkdir(parents=True)
    policy_files.make_key(paths.keys)
    policy_files.save(paths, POLICY, NOW)
    store = Store.open(paths)
    scans, vault, clock = ScriptedScans(), FailingVault(store, "test"), [NOW]
    policies = Policies(PolicyFile(paths, lambda: NOW))
    instruments = instruments_of(scans)
    used = PoliciesUsed(paths.policies_used)
    guard = TextGuard(KEY, store, policies, used, vault, instruments, lambda: clock[0])
    try:
        yield GuardRig(
            guard,
            instruments,
            paths,
            store,
            Sessions(store, LimitsSection()),
            scans,
            vault,
            policies,
            used,
            clock,
        )
    finally:
        await store.close()


def policy_operations(paths: SitePaths, store: Store) -> PolicyOperations:
    """The policy of a site by this machine's own clock, with the scripted detector."""
    file = PolicyFile(paths)
    policies = Policies(file)
    used = PoliciesUsed(paths.policies_used)
    guard = TextGuard(KEY, store, policies, used, Vault(store, "test"), instruments_of(ScriptedScans()))
    return PolicyOperations(paths, store, file, policies, guard, RATES)


def reason_of(found: Admitted | TextRefusal) -> str:
    """Why a text was refused."""
    assert isinstance(found, TextRefusal)
    return found.reason
