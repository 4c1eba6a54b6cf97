"""The privacy policy for the command line and the console: operations `privacy.preview` and `privacy.policy.*`.

Texts that are tried are scanned as any other and forgotten with the answer: no row, no log and no error holds them.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from pydantic import Field, model_validator
from sqlite_utils import Database

from core.errors import PosternError
from edge.config import SitePaths
from edge.egress.text.guard import TextGuard
from edge.egress.text.handover import Part, Source
from edge.egress.text.looking import Look
from edge.egress.text.masking_check import Unbelievable
from edge.egress.text.preview import previews
from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.operators import ActorArguments
from edge.operations.policy_words import in_words, measured, why
from edge.privacy import policy_files
from edge.privacy.policies import Policies, PolicyFile
from edge.privacy.policy import POLICY_BYTES_MAX, BadPolicy, Policy, Purpose, Spent, parse, stricter
from edge.privacy.policy_files import without_signature
from edge.privacy.scanning import ScanFailed
from edge.site_setup import policy_pack, policy_packs
from edge.store import audit, text_uses
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation
from models.detect.rates import Rates

STEPS = (
    "Scanned, judged, replaced and looked at once more as a text that goes; marks are shown as types, and nothing is"
    " taken out of a budget. Of one that goes purpose, size, label and conversation are on the disk before its first"
    " byte, and a salted hash if it leaves the site; never a word."
)
TEXT_CHARS_MAX = 4_000
"""Of a text to try: as a customer's."""

PackName = Annotated[str, Field(max_length=40)]
PolicyText = Annotated[str, Field(max_length=POLICY_BYTES_MAX)]


class ShowArguments(OperationArguments):
    """`postern privacy policy show`. `pack`: show the text of this one to begin with."""

    pack: PackName | None = None


class PreviewArguments(OperationArguments):
    """`postern privacy preview`. `policy`: TOML to try instead of the one in force."""

    text: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)]
    policy: PolicyText | None = None


class CheckArguments(OperationArguments):
    """`postern privacy policy check`. `policy`: TOML; absent, the one in force."""

    policy: PolicyText | None = None


class SignArguments(ActorArguments):
    """`postern privacy policy sign`: one of `policy`, TOML, and `pack`, the name of one."""

    policy: PolicyText | None = None
    pack: PackName | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> SignArguments:
        if (self.policy is None) == (self.pack is None):
            raise ValueError("either a file or a pack is signed")
        return self


class PolicyOperations:
    """The operations, by name."""

    def __init__(
        self,
        paths: SitePaths,
        store: Store,
        file: PolicyFile,
        policies: Policies,
        guard: TextGuard,
        rates: Rates,
    ) -> None:
        self._paths = paths
        self._store = store
        self._file = file
        self._policies = policies
        self._guard = guard
        self._rates = rates

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "privacy.preview": self.preview,
            "privacy.policy.show": self.show,
            "privacy.policy.check": self.check,
            "privacy.policy.sign": self.sign,
        }

    async def preview(self, arguments: Arguments, _: OnProgress) -> object:
        """What would leave, for each purpose, and the line that decides."""
        wanted = read_arguments(PreviewArguments, arguments)
        policies, failure = self._tried(wanted.policy)
        looked = await self._looked(wanted.text)
        now = datetime.now().astimezone()
        spent = await self._store.read(partial(_spent, at_ms=round(now.timestamp() * 1000)))
        found = previews(wanted.text, looked, policies, spent, now, self._guard.forms, failure)
        return {
            "label": looked.label.value,
            "entities": sorted(looked.types),
            "complete": all(finding.complete for finding in looked.findings),
            "language": looked.language,
            "measured": measured(looked.language or "", self._rates),
            "steps": STEPS,
            "purposes": [{**asdict(one), "why": why(one.action, one.rule)} for one in found],
        }

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """The policy in force, as it was signed and in words; and what the control plane has tightened."""
        pack = read_arguments(ShowArguments, arguments).pack
        begin = None if pack is None else policy_pack(pack, datetime.now(UTC))
        cloud = self._policies.cloud
        shared = {
            "packs": policy_packs(),
            "can_sign": policy_files.can_sign(self._paths),
            "cloud": cloud and self._told(cloud),
        }
        try:
            signed = self._file.signed()
        except PosternError as error:
            trouble = {
                "code": error.code,
                "title": error.title,
                "detail": error.detail,
                "remedy": error.remedy,
            }
            return {"trouble": trouble, "policy": None, "text": begin or self._unsigned_text(), **shared}
        told = {**self._told(signed.policy), "signed_ms": round(signed.signed_at.timestamp() * 1000)}
        return {"trouble": None, "policy": told, "text": begin or signed.text, **shared}

    async def check(self, arguments: Arguments, _: OnProgress) -> object:
        """What is wrong with a policy, and whether it is stricter than the one that is in force."""
        text = read_arguments(CheckArguments, arguments).policy
        try:
            policy = self._file() if text is None else parse(without_signature(text))
        except PosternError as error:
            return {
                "ok": False,
                "problem": error.detail,
                "remedy": error.remedy,
                "policy": None,
                "stricter": None,
            }
        expired = policy.valid_until < datetime.now().astimezone().date()
        return {
            "ok": not expired,
            "problem": f"It was valid until {policy.valid_until}." if expired else "",
            "remedy": "Set valid_until to a day to come, and sign." if expired else "",
            "policy": self._told(policy),
            "stricter": self._stricter(policy),
        }

    async def sign(self, arguments: Arguments, _: OnProgress) -> object:
        """Put a policy in force. Who did it is written down before, and that it was done after."""
        wanted = read_arguments(SignArguments, arguments)
        now = datetime.now(UTC)
        text = wanted.policy if wanted.policy is not None else policy_pack(wanted.pack or "", now)
        policy = parse(without_signature(text))
        if policy.valid_until < now.astimezone().date():
            raise BadPolicy(f"It was valid until {policy.valid_until}: set a day to come.")
        await self._note(wanted.actor, policy, audit.Outcome.BEGUN)
        try:
            signed = policy_files.save(self._paths, text, now)
        except BaseException:
            await self._note(wanted.actor, policy, audit.Outcome.FAILED)
            raise
        await self._note(wanted.actor, policy, audit.Outcome.DONE)
        return {**self._told(signed.policy), "signed_ms": round(now.timestamp() * 1000)}

    async def _note(self, actor: str, policy: Policy, outcome: audit.Outcome) -> None:
        named = f"{policy.name} until {policy.valid_until}"
        await self._store.write(lambda db: audit.append(db, actor, "privacy.sign", named, outcome))

    async def _looked(self, text: str) -> Look:
        try:
            return await self._guard.look([Part(text, Source.CUSTOMER)])
        except Unbelievable:
            raise ScanFailed("The detector returned what cannot be.") from None

    def _tried(self, text: str | None) -> tuple[tuple[Policy, ...], str]:
        """The policies to try, and why there is none. Raises BadPolicy for a text that is none."""
        if text is not None:
            return (parse(without_signature(text)), *self._policies.narrowing()), ""
        try:
            return self._policies.in_force(), ""
        except PosternError as error:
            return (), error.code

    def _told(self, policy: Policy) -> dict[str, object]:
        return {
            "name": policy.name,
            "valid_until": policy.valid_until.isoformat(),
            "purposes": [asdict(paragraph) for paragraph in in_words(policy, self._rates)],
        }

    def _stricter(self, policy: Policy) -> bool | None:
        """Than what the site has signed; None where that cannot be read."""
        try:
            return stricter(policy, self._file())
        except PosternError:
            return None

    def _unsigned_text(self) -> str:
        """What stands in the file, for whoever is to mend it."""
        try:
            return without_signature(self._paths.policy.read_text(encoding="utf-8")[:POLICY_BYTES_MAX])
        except (OSError, UnicodeDecodeError):
            return ""


def _spent(db: Database, at_ms: int) -> dict[Purpose, Spent]:
    """By all conversations; the text that is tried is the first of its own."""
    return {purpose: Spent(*text_uses.spent(db, purpose, "", at_ms)) for purpose in Purpose}
