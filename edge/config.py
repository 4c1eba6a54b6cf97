"""What a site can set: `site.toml` as frozen models, and where a site keeps its files.

Every setting has a default that suits a small site; names carry their units. Unknown keys are errors, because a
misspelled setting that is silently ignored is how a site ends up less private than it thinks.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import ConfigError
from core.network import is_loopback, require_local

# sockaddr_un holds 108 bytes with the closing zero on Linux; longer paths cannot be bound.
UNIX_PATH_BYTES_MAX = 107
LONGEST_SOCKET_NAME = "courier.sock"

Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteSection(_Section):
    """Who this is."""

    name: str = Field(min_length=1, max_length=120)
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    locale: str = "en"
    # Country (ISO 3166) by whose rules a phone number without a country code is read.
    region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    suggestions: tuple[str, ...] = ()
    # What a customer means by "you" in "When are you open?", in the documents' words: "the clinic".
    you: str = Field(default="", max_length=60)


def require_inside(host: str) -> None:
    """As `require_local`, in the form that a model's validator may raise. Raises ValueError."""
    try:
        require_local(host)
    except ConfigError as error:
        raise ValueError(error.detail) from None


class HttpSection(_Section):
    """The node's own HTTP server."""

    host: str = "127.0.0.1"
    port: Port = 8080

    @property
    def loopback(self) -> bool:
        """True when only this machine can connect."""
        return is_loopback(self.host)


class AnswerSection(_Section):
    """How answers are made."""

    mode: Literal["extractive", "generative"] = "extractive"
    # A person waits: past this the extractive answer is shown instead.
    generate_deadline_s: float = Field(default=20.0, gt=0, le=120)
    max_new_tokens: int = Field(default=160, ge=16, le=1024)
    # Probability that what would be shown is right, below which the desk asks back or hands over: 2/3, as if a wrong
    # answer cost three times what "not in our documents" does (docs/adr/0011, docs/operations.md).
    evidence_min: float = Field(default=0.67, ge=0.0, le=1.0)


class ModelsSection(_Section):
    """Which models serve, and on what."""

    encoder: str = "all-minilm-l6-v2"
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    llm: str = "smollm2-135m-instruct"
    # 0 lets the node choose from the number of cores.
    encoder_threads: int = Field(default=0, ge=0, le=64)


# A number that people dial: digits with the signs that make it readable.
Phone = Annotated[str, Field(pattern=r"^[+0-9][0-9 ()/.-]{1,30}$")]


class SafetyCardSection(_Section):
    """One card of the site's own: what people say, and what they are shown at once."""

    phrases: tuple[Annotated[str, Field(min_length=3, max_length=120)], ...] = Field(
        min_length=1, max_length=50
    )
    title: str = Field(min_length=1, max_length=120)
    text: str = Field(default="", max_length=600)
    steps: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(default=(), max_length=6)
    phone: Phone | None = None


class SafetySection(_Section):
    """What customers in danger are shown, before anything is searched."""

    # None: the number of the country `site.region`.
    emergency_phone: Phone | None = None
    crisis_phone: Phone | None = None
    card_phone: Phone | None = None
    # The site's own wording for questions that only a professional may answer; None: ours.
    diagnosis_text: str | None = Field(default=None, min_length=1, max_length=600)
    advice_text: str | None = Field(default=None, min_length=1, max_length=600)
    cards: tuple[SafetyCardSection, ...] = Field(default=(), max_length=50)


class IntentRule(_Section):
    """What an intent brings by itself."""

    intent: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.?-]{0,63}$")
    # The site's standing answer, shown instead of one from the documents.
    answer: str | None = Field(default=None, min_length=1, max_length=1_000)
    # Where a ticket about it goes.
    queue: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")

    @model_validator(mode="after")
    def _does_something(self) -> IntentRule:
        if self.answer is None and self.queue is None:
            raise ValueError("a rule needs an answer, a queue or both")
        return self


class IntentsSection(_Section):
    """What follows from what a customer wants, once intents are trained."""

    # Below it an intent brings nothing by itself. Confidence is calibrated: at .8, four of five are right.
    confidence_min: float = Field(default=0.8, ge=0.0, le=1.0)
    rules: tuple[IntentRule, ...] = Field(default=(), max_length=250)

    @field_validator("rules")
    @classmethod
    def _one_rule_each(cls, rules: tuple[IntentRule, ...]) -> tuple[IntentRule, ...]:
        if len({rule.intent for rule in rules}) != len(rules):
            raise ValueError("an intent has more than one rule")
        return rules


class LimitsSection(_Section):
    """What bounds a customer and the node. At each limit there is a decided answer (docs/api.md)."""

    text_chars_max: int = Field(default=4000, ge=1, le=4000)
    turns_waiting_max: int = Field(default=256, ge=1, le=4096)
    sessions_max: int = Field(default=2000, ge=1, le=100_000)
    session_s: int = Field(default=1800, ge=60, le=86_400)
    # A kiosk wipes after this silence: a warning first, then the wipe. The node wipes too, page or no page.
    idle_warn_s: int = Field(default=40, ge=5, le=600)
    idle_wipe_s: int = Field(default=60, ge=25, le=1200)
    # Silence on the other channels, where a person has a screen of their own or a program speaks.
    idle_other_s: int = Field(default=600, ge=60, le=86_400)
    # Questions of one conversation: far more than a person can ask, and so a stuck key or a script at a screen takes at
    # most a thirtieth of what two cores answer (some 9,000 a minute). A program speaks for many people.
    turns_per_minute: int = Field(default=300, ge=1, le=100_000)
    api_turns_per_minute: int = Field(default=1200, ge=1, le=1_000_000)
    # What else a conversation does: feedback, tickets, words to staff. As many as it has answers to judge.
    acts_per_minute: int = Field(default=300, ge=1, le=100_000)
    # Thrice what two cores answer: a loop over what costs no encoder stops here.
    node_turns_per_minute: int = Field(default=30_000, ge=1, le=1_000_000)
    # A whole waiting room may stand behind one address: 200 people who all begin within a minute, and thrice that.
    address_sessions_per_minute: int = Field(default=600, ge=1, le=100_000)
    node_sessions_per_minute: int = Field(default=1200, ge=1, le=1_000_000)
    # Half of sessions_max: no one address can take every place of the node.
    address_sessions_max: int = Field(default=1000, ge=1, le=100_000)
    # Open event streams, each of which holds a connection.
    streams_max: int = Field(default=512, ge=1, le=10_000)


class SmtpSection(_Section):
    """The site's own mail server, which tells staff of a ticket. Off without a host."""

    host: str | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    sender: str = "postern@localhost"
    recipients: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _stays_inside(self) -> SmtpSection:
        if self.host is None:
            return self
        require_inside(self.host)
        if not self.recipients:
            raise ValueError("name at least one of recipients")
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is only for a mail server on this machine')
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        return self


class WebhookSection(_Section):
    """A service of the site's own that is told of a ticket (Standard Webhooks). Off without an address."""

    url: str | None = None
    # Holds "whsec_" and the secret in base64, and nothing else.
    secret_file: Path | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _stays_inside(self) -> WebhookSection:
        if self.url is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("url must be http(s)://HOST[:PORT]/PATH, without a login in it")
        require_inside(parts.hostname)
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("off this machine the webhook's url must be https")
        if self.secret_file is None:
            raise ValueError("secret_file is needed: the other side must be able to tell who calls")
        return self


class HandoffSection(_Section):
    """Handing over to staff."""

    # A day: a ticket that nobody closed is forgotten with the day's work.
    keep_h: int = Field(default=24, ge=1, le=720)
    # Open at once. A conversation needs one, sometimes a second about something else.
    tickets_per_session_max: int = Field(default=3, ge=1, le=20)
    # More people than a desk can see to in a day.
    waiting_max: int = Field(default=200, ge=1, le=10_000)
    messages_max: int = Field(default=200, ge=4, le=2000)
    # Where staff's browsers find the console; named in notifications.
    console_url: str = ""
    smtp: SmtpSection = SmtpSection()
    webhook: WebhookSection = WebhookSection()

    @property
    def channels(self) -> tuple[str, ...]:
        """How staff are told of a ticket: names of edge.chat.notifications.Channel."""
        found = {"mail": self.smtp.host, "webhook": self.webhook.url}
        return tuple(name for name, address in found.items() if address is not None)


class TelemetrySection(_Section):
    """What goes up without being asked: counts per bucket, small cells suppressed."""

    bucket_s: Literal[10, 60, 3600] = 3600


class MqttSection(_Section):
    """The broker that kiosks report their presence to."""

    broker: Literal["embedded", "external", "off"] = "embedded"
    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


class DiscoverySection(_Section):
    """Announcing the node on the LAN (zeroconf); a hint only, never trust."""

    enabled: bool = True


class OidcSection(_Section):
    """Login at the console through the organisation's own provider (OpenID Connect); off without an issuer."""

    issuer: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    # The CA of the provider's certificate, where the system does not know it.
    ca_file: Path | None = None
    # The claim of the identity token that says what somebody is, and which of its values are which role here.
    role_claim: str = "roles"
    roles: dict[str, Literal["technician", "desk", "data-protection"]] = {}

    @model_validator(mode="after")
    def _complete(self) -> OidcSection:
        """A provider that anybody could imitate, or that lets nobody in, is a mistake."""
        if self.issuer and not self.client_id:
            raise ValueError("client_id is needed with an issuer")
        if self.issuer and not self.roles:
            raise ValueError("roles is needed with an issuer: which value of the claim is which role")
        url = urlsplit(self.issuer)
        if (
            self.issuer
            and url.scheme != "https"
            and not (url.scheme == "http" and is_loopback(url.hostname or ""))
        ):
            raise ValueError("issuer must begin with https:// (http:// only on this machine)")
        return self


class ConsoleSection(_Section):
    """The staff's pages at /console/."""

    # A desk that somebody walked away from (NIST SP 800-63B allows 30 minutes).
    idle_log_off_s: int = Field(default=900, ge=60, le=28_800)
    # The site's own proxy speaks TLS before the node: cookies and forms are then held to https.
    behind_tls_proxy: bool = False
    oidc: OidcSection = OidcSection()


class Config(_Section):
    """All of `site.toml`."""

    site: SiteSection
    http: HttpSection = HttpSection()
    answer: AnswerSection = AnswerSection()
    models: ModelsSection = ModelsSection()
    safety: SafetySection = SafetySection()
    intents: IntentsSection = IntentsSection()
    limits: LimitsSection = LimitsSection()
    handoff: HandoffSection = HandoffSection()
    telemetry: TelemetrySection = TelemetrySection()
    mqtt: MqttSection = MqttSection()
    discovery: DiscoverySection = DiscoverySection()
    console: ConsoleSection = ConsoleSection()

    @model_validator(mode="after")
    def _short_buckets_stay_here(self) -> Config:
        """Counts of a minute say more about one person than counts of an hour: loopback demos and tests only."""
        if self.telemetry.bucket_s < 3600 and not self.http.loopback:
            raise ValueError("telemetry.bucket_s below 3600 is only for a node that serves loopback")
        if self.limits.idle_wipe_s < self.limits.idle_warn_s + 20:
            raise ValueError("limits.idle_wipe_s must leave 20 s after idle_warn_s (WCAG 2.2.1)")
        return self


@dataclass(frozen=True)
class SitePaths:
    """Where a site keeps its files. Nothing else composes these paths."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "site.toml"

    @property
    def documents(self) -> Path:
        return self.root / "documents"

    @property
    def intent_examples(self) -> Path:
        """Labelled sentences that a template brought, for `postern intents train`."""
        return self.root / "intents.csv"

    @property
    def golden_questions(self) -> Path:
        """Questions with their right document, by which `postern learn` judges."""
        return self.root / "questions.jsonl"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def claim_code(self) -> Path:
        """The first operator's claim code, as long as nobody has claimed the console."""
        return self.root / "claim-code"

    @property
    def store(self) -> Path:
        return self.root / "store" / "site.db"

    @property
    def subject_keys(self) -> Path:
        return self.root / "store" / "keys.db"

    @property
    def store_lock(self) -> Path:
        return self.root / "store" / "lock"

    @property
    def courier(self) -> Path:
        return self.root / "courier"

    @cached_property
    def run(self) -> Path:
        """Folder of the Unix sockets; a short one under the temporary folder when the site's path is too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside / LONGEST_SOCKET_NAME)) <= UNIX_PATH_BYTES_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"postern-{os.getuid()}-{digest}"

    @property
    def admin_socket(self) -> Path:
        return self.run / "node.sock"

    @property
    def worker_socket(self) -> Path:
        return self.run / "worker.sock"

    @property
    def courier_socket(self) -> Path:
        return self.run / "courier.sock"


def site_paths(site: Path) -> SitePaths:
    """Paths of the site in folder `site`, made absolute."""
    return SitePaths(site.resolve())


def load_config(paths: SitePaths) -> Config:
    """Read `site.toml`. Raises ConfigError with the setting's name and what is wrong with it."""
    try:
        text = paths.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no site at {paths.root}.", remedy=f"Make one: postern init --site {paths.root}"
        ) from None
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{paths.config} is not valid TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"{paths.config}: {_describe(error)}") from None


def _describe(error: ValidationError) -> str:
    """The findings of pydantic, one a line, without the values that were given."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'file'}: {item['msg']}" for item in error.errors()
    )
