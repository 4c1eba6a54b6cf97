"""What a site can set: `site.toml` as frozen models, a file a subsystem, and where a site keeps its files.

Every setting has a default that suits a small site; names carry their units. Unknown keys are errors, because a
misspelled setting that is silently ignored is how a site ends up less private than it thinks.
"""

from __future__ import annotations

import tomllib

from pydantic import ValidationError, model_validator

from core.errors import ConfigError
from core.faults import in_words
from edge.config.backup import BackupSection
from edge.config.card import CardSection, CardTextSection
from edge.config.console import ConsoleSection, OidcSection
from edge.config.egress import EgressSection, ProxySection
from edge.config.fabric import DiscoverySection, MqttSection
from edge.config.handoff import HandoffSection, SmtpSection, WebhookSection
from edge.config.inference import AnswerSection, ModelsSection
from edge.config.keys import KeysSection
from edge.config.limits import LimitsSection
from edge.config.llm_server import LlmServerSection
from edge.config.outbox import OutboxSection
from edge.config.privacy import IdentifierSection, PrivacySection
from edge.config.retention import RetentionSection
from edge.config.safety import IntentRule, IntentsSection, SafetyCardSection, SafetySection
from edge.config.section import Section
from edge.config.siblings import SiblingsSection
from edge.config.site import HttpSection, SiteSection, TelemetrySection
from edge.config.updates import UpdatesSection
from edge.paths import UNIX_PATH_BYTES_MAX, SitePaths, settings_text, site_paths

__all__ = [
    "UNIX_PATH_BYTES_MAX",
    "AnswerSection",
    "BackupSection",
    "CardSection",
    "CardTextSection",
    "Config",
    "ConsoleSection",
    "DiscoverySection",
    "EgressSection",
    "HandoffSection",
    "HttpSection",
    "IdentifierSection",
    "IntentRule",
    "IntentsSection",
    "KeysSection",
    "LimitsSection",
    "LlmServerSection",
    "ModelsSection",
    "MqttSection",
    "OidcSection",
    "OutboxSection",
    "PrivacySection",
    "ProxySection",
    "RetentionSection",
    "SafetyCardSection",
    "SafetySection",
    "SiblingsSection",
    "SitePaths",
    "SiteSection",
    "SmtpSection",
    "TelemetrySection",
    "UpdatesSection",
    "WebhookSection",
    "load_config",
    "site_paths",
]


class Config(Section):
    """All of `site.toml`."""

    site: SiteSection
    http: HttpSection = HttpSection()
    answer: AnswerSection = AnswerSection()
    models: ModelsSection = ModelsSection()
    safety: SafetySection = SafetySection()
    intents: IntentsSection = IntentsSection()
    privacy: PrivacySection = PrivacySection()
    retention: RetentionSection = RetentionSection()
    keys: KeysSection = KeysSection()
    limits: LimitsSection = LimitsSection()
    handoff: HandoffSection = HandoffSection()
    card: CardSection = CardSection()
    telemetry: TelemetrySection = TelemetrySection()
    outbox: OutboxSection = OutboxSection()
    egress: EgressSection = EgressSection()
    mqtt: MqttSection = MqttSection()
    discovery: DiscoverySection = DiscoverySection()
    siblings: SiblingsSection = SiblingsSection()
    console: ConsoleSection = ConsoleSection()
    backup: BackupSection = BackupSection()
    updates: UpdatesSection = UpdatesSection()

    @model_validator(mode="after")
    def _short_buckets_stay_here(self) -> Config:
        """Counts of a minute say more about one person than counts of an hour: loopback demos and tests only."""
        if self.telemetry.bucket_s < 3600 and not self.http.loopback:
            raise ValueError("telemetry.bucket_s below 3600 is only for a node that serves loopback")
        if self.limits.idle_wipe_s < self.limits.idle_warn_s + 20:
            raise ValueError("limits.idle_wipe_s must leave 20 s after idle_warn_s (WCAG 2.2.1)")
        return self


def load_config(paths: SitePaths) -> Config:
    """Read `site.toml`. Raises ConfigError with the setting's name and what is wrong with it, NoSite, CannotRead."""
    try:
        return Config.model_validate(tomllib.loads(settings_text(paths)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{paths.config} is not valid TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"{paths.config}: {'; '.join(map(in_words, error.errors()))}") from None
