"""The control plane's settings: `cloud.toml` and the folder around it. Reads files; opens nothing else."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from core.errors import ConfigError
from core.network import is_loopback

CONFIG_NAME = "cloud.toml"

# The port of the console is part of the contract; the two beside it follow it.
CONSOLE_PORT = 8090
SYNC_PORT = 8091
ENROLMENT_PORT = 8092
_ANY_HOSTS = ("0.0.0.0", "::", "")  # noqa: S104  (compared with, not bound)

# Each failing one costs a customer time: three or four are plenty.
PROVIDERS_MAX = 16
# A node keeps a connection open to each.
OVERFLOW_ENDPOINTS_MAX = 4
# One for people, one for a ticket system, and room.
WEBHOOKS_MAX = 8
Endpoint = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$", max_length=260)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConsoleSettings(_Settings):
    """Where the web console listens. Off loopback it speaks TLS or does not start."""

    host: str = "127.0.0.1"
    port: int = Field(default=CONSOLE_PORT, ge=0, le=65535)
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def secure(self) -> bool:
        """Whether the console speaks TLS."""
        return self.certificate_file is not None

    @model_validator(mode="after")
    def _tls_off_loopback(self) -> ConsoleSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: give both or neither")
        if not self.secure and not is_loopback(self.host):
            raise ValueError("off loopback the console needs TLS: set certificate_file and key_file")
        return self


class RpcSettings(_Settings):
    """Where one gRPC port listens, and the name under which nodes reach it."""

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    advertised_host: str = ""

    @property
    def public_host(self) -> str:
        """The host that nodes are told."""
        return self.advertised_host or self.host

    @model_validator(mode="after")
    def _nodes_need_a_name(self) -> RpcSettings:
        if self.public_host in _ANY_HOSTS:
            raise ValueError("listening on every address, set advertised_host to the name that nodes use")
        return self


class SyncSettings(RpcSettings):
    """The port of the nodes' long streams (mTLS)."""

    port: int = Field(default=SYNC_PORT, ge=0, le=65535)
    # Streams let in a second, by each replica: a thousand nodes are back within a quarter of a minute, and each costs a
    # handshake and two commits.
    admissions_per_s: int = Field(default=100, ge=1, le=10_000)


class EnrolmentSettings(RpcSettings):
    """The port where one-time codes are spent."""

    port: int = Field(default=ENROLMENT_PORT, ge=0, le=65535)


class IdentitySettings(_Settings):
    """How long what the control plane signs is valid."""

    # A year: nodes renew at its half, so that half a year offline needs nothing at all.
    node_certificate_days: int = Field(default=365, ge=1, le=3650)
    # After its end, the key still proves who comes back: a machine that lay in a cupboard for a year and a bit more.
    reattest_days: int = Field(default=400, ge=0, le=3650)
    # A day: long enough to drive to the site, short enough that a forgotten note is worthless.
    enrolment_code_hours: int = Field(default=24, ge=1, le=720)


class TelemetrySettings(_Settings):
    """Counts that nodes told, as files for other tools."""

    # Finished days are written there as Parquet, looked at each hour by one replica. None: only by the command
    # `postern-cloud telemetry export`.
    export_dir: Path | None = None


class RetentionSettings(_Settings):
    """How long is kept what nodes sent, and what was done, in days. Where an outbox stands is kept for good."""

    # As they came; what they say is applied by then. A quarter is enough to look into what somebody noticed.
    records_days: int = Field(default=90, ge=30, le=3653)
    # Thirteen months: a month is compared with the same one of the year before. Exports look back 90 days.
    telemetry_days: int = Field(default=400, ge=92, le=3653)
    # As long as alerts that are over.
    gaps_days: int = Field(default=400, ge=30, le=3653)
    # None: for good, until an admin says otherwise; and never less than HIPAA's six years.
    audit_days: int | None = Field(default=None, ge=2192, le=7305)


class DatabaseSettings(_Settings):
    """Empty: an encrypted SQLite file in the folder. Else a PostgreSQL address."""

    url: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _known_database(self) -> DatabaseSettings:
        url = self.url.get_secret_value()
        if url and not url.startswith("postgresql://"):
            raise ValueError("url is empty (SQLite in the folder) or begins with postgresql://")
        return self


class RegistrySettings(_Settings):
    """Packages that nodes install."""

    # Parts of packages, named by what they hold; replicas share it. None: `blobs` in the folder.
    blobs_dir: Path | None = None


class ProviderSettings(_Settings):
    """Who writes answers for nodes: a model in this process (`engine`) or a server that speaks OpenAI's protocol."""

    # In metrics, in rows of usage and on pages.
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    kind: Literal["engine", "openai"]
    # Of the catalogue, or as the server knows it; empty for an engine: the default one.
    model: str = Field(default="", max_length=200)
    # Up to and with the version: https://llm.example.org/v1
    url: str = Field(default="", max_length=500)
    ca_file: Path | None = None
    api_key_file: Path | None = None
    # Inside a cluster, where nothing else reads along; nobody gets it by accident.
    plain_http: bool = False
    # Then the next provider is asked; sooner where the node's patience ends sooner (`overflow.offer.deadlines_of`).
    first_text_s_max: float = Field(default=2.0, gt=0, le=60)
    # Between two pieces of text; a server that writes a word takes a tenth of a second.
    silence_s_max: float = Field(default=3.0, gt=0, le=60)
    # Of prompt and answer alike.
    cost_per_1000_tokens: float = Field(default=0.0, ge=0, le=1000, allow_inf_nan=False)
    # None: no bound. A day is one of UTC.
    daily_budget: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _reachable(self) -> ProviderSettings:
        if self.kind == "engine":
            if self.url or self.ca_file or self.api_key_file:
                raise ValueError(
                    "an engine runs in this process: url, ca_file and api_key_file are a server's"
                )
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("url is https://HOST/v1, without a password and without a query")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not self.plain_http:
            raise ValueError("url is https, unless plain_http says that its network is trusted")
        if not self.model:
            raise ValueError("model is the name under which the server knows it")
        return self


# It is the last resort, and reads a prompt for a second or three, for nodes that wait so long for first words.
EMBEDDED = ProviderSettings(name="embedded", kind="engine", first_text_s_max=5.0)


class OverflowSettings(_Settings):
    """Generation for nodes that cannot in time."""

    enabled: bool = False
    endpoints: Annotated[tuple[Endpoint, ...], Field(max_length=OVERFLOW_ENDPOINTS_MAX)] = ()
    """host:port of each replica that answers, in the order to try; none: where `sync` is reached. Told at enrolment."""
    # Asked in this order; the next when one fails, is busy, or has spent its budget. None: EMBEDDED.
    providers: Annotated[tuple[ProviderSettings, ...], Field(max_length=PROVIDERS_MAX)] = ()
    # Answers at a time. A stream to a server is some 50 KB here; an engine has its own line: one runs, eight wait.
    concurrent_max: int = Field(default=256, ge=2, le=4096)
    # Of one node, so that a second one always finds a place.
    concurrent_per_node_max: int = Field(default=128, ge=1, le=4095)
    # Beyond the places; one node alone fills half of it.
    waiting_max: int = Field(default=256, ge=0, le=4096)
    # A customer waits: longer than this, the site's own quotes are the better answer.
    # Never longer than half of a node's patience.
    wait_s_max: float = Field(default=1.0, ge=0, le=30)
    # ISO 3166: how telephone numbers without a country code are read when texts are scanned once more.
    region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    # Of costs and budgets; only shown.
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")

    @property
    def offered(self) -> tuple[ProviderSettings, ...]:
        """Who writes, in order; at least one."""
        return self.providers or (EMBEDDED,)

    @model_validator(mode="after")
    def _fair(self) -> OverflowSettings:
        if self.concurrent_per_node_max >= self.concurrent_max:
            raise ValueError(
                "concurrent_per_node_max leaves other nodes a place: it is less than concurrent_max"
            )
        if len({provider.name for provider in self.providers}) < len(self.providers):
            raise ValueError("providers have names of their own")
        return self


class WebhookSettings(_Settings):
    """Who is told of alerts, signed as Standard Webhooks has it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    url: str = Field(max_length=500)
    # The first is the one that stays; a second one signs too, while the other side still has it.
    secret_files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=2)]
    ca_file: Path | None = None
    # Inside a network that nobody else reads; nobody gets it by accident.
    plain_http: bool = False

    @model_validator(mode="after")
    def _reachable(self) -> WebhookSettings:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("url is https://HOST/PATH, without a password")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not self.plain_http:
            raise ValueError("url is https, unless plain_http says that its network is trusted")
        return self


class AlertSettings(_Settings):
    """Where a state of a node becomes an alert, and who is told."""

    # A router that is restarted takes two or three.
    offline_minutes: int = Field(default=10, ge=2, le=10_080)
    outbox_minutes: int = Field(default=60, ge=1, le=43_200)
    # Nodes renew at half of a certificate's life: one that has a month left has tried for months.
    certificate_days: int = Field(default=30, ge=1, le=365)
    # In tens, as nodes say it: 10 is less than a fifth.
    disk_free_percent: int = Field(default=10, ge=0, le=90, multiple_of=10)
    webhooks: Annotated[tuple[WebhookSettings, ...], Field(max_length=WEBHOOKS_MAX)] = ()

    @model_validator(mode="after")
    def _told_apart(self) -> AlertSettings:
        if len({webhook.name for webhook in self.webhooks}) < len(self.webhooks):
            raise ValueError("webhooks have names of their own")
        return self


class CloudSettings(_Settings):
    """All of `cloud.toml`."""

    organisation: str = Field(default="Postern", min_length=1, max_length=60)
    console: ConsoleSettings = ConsoleSettings()
    sync: SyncSettings = SyncSettings()
    enrolment: EnrolmentSettings = EnrolmentSettings()
    identity: IdentitySettings = IdentitySettings()
    registry: RegistrySettings = RegistrySettings()
    overflow: OverflowSettings = OverflowSettings()
    database: DatabaseSettings = DatabaseSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    retention: RetentionSettings = RetentionSettings()
    alerts: AlertSettings = AlertSettings()


@dataclass(frozen=True)
class CloudPaths:
    """What lies where in the control plane's folder."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / CONFIG_NAME

    @property
    def keys(self) -> Path:
        """Private keys; readable by the owner only."""
        return self.root / "keys"

    @property
    def database(self) -> Path:
        return self.root / "store" / "cloud.db"

    @property
    def blobs(self) -> Path:
        """Parts of packages, unless the settings name another folder."""
        return self.root / "blobs"

    @property
    def registry_keys(self) -> Path:
        """Sign how fresh the registry is, and what each node is to run."""
        return self.keys / "registry.json"

    @property
    def witness_key(self) -> Path:
        """Co-signs the nodes' ledgers."""
        return self.keys / "witness.key"

    @property
    def recovery_key(self) -> Path:
        """What opens backups, as long as nobody has taken it to a safe place."""
        return self.root / "recovery-key"

    @property
    def claim_code(self) -> Path:
        """The first admin's claim code, as long as nobody has claimed."""
        return self.root / "claim-code"


def load_settings(paths: CloudPaths) -> CloudSettings:
    """Read `cloud.toml`. Raises ConfigError naming the setting, never its value."""
    try:
        document = tomllib.loads(paths.config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = f"Run `postern-cloud init --dir {paths.root}` first."
        raise ConfigError(f"There is no {paths.config}.", remedy=remedy) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{paths.config} cannot be read: {error}.") from error
    try:
        return CloudSettings.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{paths.config}: {_first_fault(error)}.") from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where or 'the file'}: {fault['msg'].removeprefix('Value error, ')}"
