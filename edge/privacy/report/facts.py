"""What is known of a site when a report is made. Values only: no name of a person, no text of a customer. Pure.

`edge/report_facts.py` gathers them; everything in a report is said from here or is a gap.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.signing import canonical_json, content_hash
from edge.store.schema import Kind, Retention


class Fact(BaseModel):
    """Base: nothing unknown, nothing changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteFacts(Fact):
    """Who this is, and how the machine serves."""

    name: str
    id: str
    locale: str
    region: str
    processes_apart: bool | None
    """Each process has an account of its own, and the kernel keeps all but the courier from the network; None: not
    known, as no node runs."""
    memory_can_be_swapped: bool | None
    """None: not known, as no node runs."""
    behind_tls_proxy: bool
    port: int
    answer_mode: Literal["extractive", "generative"]
    unrecorded: Literal["answer", "refuse"]
    """What becomes of answers while the store takes no row."""
    languages: tuple[str, ...]
    """In which the desk answers, ISO 639-1."""
    own_identifiers: int
    """Forms of the site's own that count as personal."""
    documents: int


class Times(Fact):
    """After how long what ends by itself."""

    kiosk_silence_s: int
    other_silence_s: int
    conversation_s: int
    ticket_h: int
    staff_idle_s: int
    emergency_s: int


class Others(Fact):
    """Who else gets to know something: hosts, empty for what is not switched on."""

    llm_server: str = ""
    llm_server_model: str = ""
    mail: str = ""
    webhook: str = ""
    login_provider: str = ""
    broker: Literal["embedded", "external", "off"] = "off"
    broker_host: str = ""
    announced: bool = False
    siblings: tuple[str, ...] = ()
    """Other nodes of the site, where conversations may go on."""
    control_plane: str = ""
    counts_every_s: int = 3600
    programs: int = 0
    """Keys of programs that work."""
    programs_without_notice: int = 0
    """Of those, how many are not bound to the notice that is shown today."""


class PurposeFacts(Fact):
    """What the policy says of one purpose, in sentences. `open`: some text may go; `used`: here it would."""

    purpose: str
    title: str
    open: bool
    used: bool
    sentences: tuple[str, ...]


class PolicyFacts(Fact):
    """The policy in force. `trouble`: why there is none."""

    name: str = ""
    signed_on: date | None = None
    valid_until: date | None = None
    purposes: tuple[PurposeFacts, ...] = ()
    trouble: str = ""
    tightened_by: str = ""
    """Name of the control plane's stricter one."""


class ModelFacts(Fact):
    """A model that serves."""

    does: str
    name: str
    version: str
    sha256: str
    licence: str


class MissedFacts(Fact):
    """How much of a group the detector missed: `missed` of `of`; `at_most`: upper end of the 95 % interval."""

    group: str
    missed: int
    of: int
    at_most: float


class LanguageFacts(Fact):
    """What was measured of the detector in one language."""

    code: str
    name: str
    missed: tuple[MissedFacts, ...]


class ColumnFacts(Fact):
    """A column with its privacy tag."""

    name: str
    kind: Kind
    purpose: str
    retention: Retention
    exported: bool


class TableFacts(Fact):
    """A table of the store. `kept`: how long, in words; `rows`: how many there are now."""

    name: str
    columns: tuple[ColumnFacts, ...]
    kept: str
    rows: int


class StaffFacts(Fact):
    """How many of the staff have which role; one person may have several."""

    technicians: int = 0
    desk: int = 0
    data_protection: int = 0
    from_provider: int = 0
    emergency_account: bool = False
    """Sealed, so that it can be used now."""


class KeyFacts(Fact):
    """Where keys are."""

    root_in: Literal["tpm", "file"]
    policy_key_here: bool
    recovery_key_here: bool
    """It still lies on the machine, and nobody has taken it away."""


class NoticeFacts(Fact):
    """What a customer is told first."""

    version: str
    text: str


Outcome = Literal["passed", "failed", "skipped", "not run"]
"""How a test ended."""


class ProofFacts(Fact):
    """A test that proves something, by its id, and how it ended."""

    test: str
    result: Outcome


class EvidenceFacts(Fact):
    """Which tests prove which measure. `run_on` is None where no record of a run came with this build."""

    run_on: date | None = None
    version: str = ""
    commit: str = ""
    proofs: dict[str, tuple[ProofFacts, ...]] = {}


class Facts(Fact):
    """All of it."""

    made_on: date
    software_version: str
    site: SiteFacts
    times: Times
    others: Others
    policy: PolicyFacts
    models: tuple[ModelFacts, ...]
    measured_on: date | None
    languages: tuple[LanguageFacts, ...]
    tables: tuple[TableFacts, ...]
    staff: StaffFacts
    keys: KeyFacts
    notice: NoticeFacts
    evidence: EvidenceFacts

    @property
    def sha256(self) -> str:
        """Of everything but the day: two reports with the same one say the same."""
        return content_hash(canonical_json(self.model_dump(mode="json", exclude={"made_on"}))).hex()

    def kept(self, table: str) -> str:
        """How long a table's rows stay, in words."""
        return next((found.kept for found in self.tables if found.name == table), "as long as needed")

    def rows_of(self, table: str) -> int:
        """How many rows a table has now."""
        return next((found.rows for found in self.tables if found.name == table), 0)
