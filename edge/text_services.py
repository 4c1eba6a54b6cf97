"""Part of the composition root: what decides on text that is handed on, from the site's policy to the guard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from core.errors import PosternError
from edge import metrics
from edge.chat.session import Sessions
from edge.config import Config, SitePaths
from edge.egress.envelope import load_or_create_key
from edge.egress.text.foreseen import Foreseen
from edge.egress.text.guard import TextGuard
from edge.egress.text.looking import Instruments
from edge.knowledge import languages
from edge.operations.policy import PolicyOperations
from edge.privacy.policies import Policies, PolicyFile, accepted_from_cloud
from edge.privacy.policies_used import PoliciesUsed
from edge.privacy.pseudonyms.vault import Vault
from edge.privacy.pushed_policies import PushedPolicies
from edge.privacy.scanning import Scanner
from edge.store.store import Store
from edge.web.admin import Operation
from models.detect.rates import NOTHING_MEASURED, Rates, RatesUnreadable, shipped

if TYPE_CHECKING:
    from edge.app import Site

POLICY: Final = "policy"
"""Runs weaker than asked while no policy is in force: no text is handed on."""


@dataclass(frozen=True)
class TextPolicy:
    """What decides on text that is handed on."""

    file: PolicyFile
    policies: Policies
    guard: TextGuard
    rates: Rates
    foreseen: Foreseen


async def text_policy(
    config: Config, paths: SitePaths, store: Store, sessions: Sessions, scanner: Scanner
) -> TextPolicy:
    """The site's policy, what the control plane has tightened, and the guard that goes by both."""
    file = PolicyFile(paths)
    policies = Policies(file, await store.read(accepted_from_cloud), pushed_policies(paths))
    vault = Vault(store, config.site.id)
    sessions.on_end.append(vault.forget)
    rates = _rates()
    detector = scanner.detector
    instruments = Instruments(
        scanner, detector.forms, languages.detect, rates, scanner.version, lambda: detector.failing
    )
    guard = TextGuard(
        load_or_create_key(paths.keys), store, policies, PoliciesUsed(paths.policies_used), vault, instruments
    )
    return TextPolicy(file, policies, guard, rates, Foreseen(store, policies, rates, languages.detect))


def pushed_policies(paths: SitePaths) -> PushedPolicies:
    """Those that came as updates."""
    return PushedPolicies(paths.pushed_policies)


def may_overflow(site: Site) -> bool:
    """Whether any text could go to the control plane's language model."""
    return site.desk.answer_mode == "generative" and site.texts.foreseen.possible()


def asks_for_overflow(site: Site) -> bool:
    """Whether customers are asked whether theirs may."""
    return site.desk.answer_mode == "generative" and site.texts.foreseen.asks_customers()


def _rates() -> Rates:
    """Damaged ones are none: then no text leaves."""
    try:
        return shipped()
    except RatesUnreadable:
        metrics.fall_back(POLICY, RatesUnreadable.code)
        return NOTHING_MEASURED


def policy_operations(site: Site) -> dict[str, Operation]:
    """The command line's."""
    texts = site.texts
    made = PolicyOperations(site.paths, site.store, texts.file, texts.policies, texts.guard, texts.rates)
    return made.table()


def watch_policy(policies: Policies) -> None:
    """Let the metrics look at whether there is a policy to go by."""

    def missing() -> str:
        try:
            oldest = min(policy.valid_until for policy in policies.in_force())
        except PosternError as error:
            return error.code
        return "policy_expired" if oldest < datetime.now().astimezone().date() else ""

    metrics.watch(POLICY, missing)
