"""Every way by which anything leaves a node: who opens it, where it leads, what it can carry, where it is written down.

docs/privacy.md shows this list, and a test holds that it is complete: no module of the node opens a connection that is
not named here (tests/unit/edge/egress/test_exits.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Opener(StrEnum):
    """Who opens the connection, or hands the thing on."""

    COURIER = "courier"
    NODE = "node"
    ASKER = "whoever asks"
    """A browser or a program of the site connects to the node; the node answers."""
    DEVICE = "device"
    """A program that runs beside a kiosk's browser."""
    SYSTEM = "system"
    """The machine's own services, which Postern has no part in."""
    PERSON = "person"


class Leads(StrEnum):
    """Where to."""

    CLOUD = "control plane"
    LAN = "site's network"
    HOST = "this machine"
    CONFIGURED = "as the machine is set up"
    CARRIED = "where it is carried"


class Carries(StrEnum):
    """The most that it can carry."""

    TEXT = "text"
    RECORDS = "records"
    """What a schema of `edge/egress/records/schemas.py` describes: numbers, codes, identifiers of machines."""
    NAMES = "names"
    """Of machines, files, or of staff; never of customers."""
    NOTHING = "nothing"


@dataclass(frozen=True)
class Exit:
    """One way out. `recorded`, `on`: words for docs/privacy.md, in Markdown.

    `claimed`: its bytes are those of the ledger, compared with the kernel's counters. `modules`: those that open it;
    none where no module of ours does.
    """

    name: str
    opener: Opener
    leads: Leads
    carries: Carries
    what: str
    recorded: str
    claimed: bool
    on: str
    modules: tuple[str, ...] = ()


CLAIM: Final = (
    "complete for kernel-counted egress of the courier of this host, for the times that were compared"
)
"""Of the ledger: without a meter there are no such times. The verifier alone says more, "of this host", where a record
shows that no other user sent."""

ENVELOPE: Final = "ledger: `intent`, `close`"
LINK: Final = "ledger: `link`, `link_close`"
NOT: Final = "not at all"
ENROLLED: Final = "once enrolled"

EXITS: Final = (
    Exit(
        "overflow",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.TEXT,
        "a question and passages, as the policy lets them go",
        f"{ENVELOPE}; store: `text_uses`",
        True,
        "the policy's `[overflow]`, and consent",
        ("edge.egress.overflow.endpoint",),
    ),
    Exit(
        "records",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.RECORDS,
        "counts, states and steps of updates",
        f"{ENVELOPE} each; heartbeats: {LINK}",
        True,
        ENROLLED,
        ("edge.egress.courier.link",),
    ),
    Exit(
        "updates",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.NAMES,
        "names and digests of what is fetched",
        LINK,
        True,
        ENROLLED,
        ("edge.egress.fetch.link",),
    ),
    Exit(
        "enrolment",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.NAMES,
        "one-time code, certificate request, version",
        ENVELOPE,
        True,
        "`postern enroll`",
        ("edge.egress.identity.enrolment",),
    ),
    Exit(
        "renewal, reattestation",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.NAMES,
        "certificate request; a certificate and a signature",
        ENVELOPE,
        True,
        ENROLLED,
        ("edge.egress.identity.renewal",),
    ),
    Exit(
        "ledger's checkpoints",
        Opener.COURIER,
        Leads.CLOUD,
        Carries.NAMES,
        "size, root, proof and key of the ledger, to the witness",
        LINK,
        True,
        ENROLLED,
        ("edge.egress.courier.link",),
    ),
    Exit(
        "look-ups of names",
        Opener.SYSTEM,
        Leads.CONFIGURED,
        Carries.NAMES,
        "names of servers out of settings, never out of a text; where the kernel's rules hold, the courier's alone",
        "the kernel's own counter (`courier_dns`)",
        False,
        "any server that is named, not numbered",
        ("core.network",),
    ),
    Exit(
        "time",
        Opener.SYSTEM,
        Leads.CONFIGURED,
        Carries.NOTHING,
        "NTP is the machine's",
        NOT,
        False,
        "the machine's own",
    ),
    Exit(
        "language model server",
        Opener.NODE,
        Leads.LAN,
        Carries.TEXT,
        "question and passages in clear; that server may reach further",
        "store: `lan_uses`",
        False,
        "`models.llm_server.url`",
        ("edge.egress.llm_server",),
    ),
    Exit(
        "webhook",
        Opener.NODE,
        Leads.LAN,
        Carries.NAMES,
        "a ticket's number and time, the site's name; that service may reach further",
        "store: `lan_uses`",
        False,
        "`handoff.webhook.url`",
        ("edge.fabric.webhook",),
    ),
    Exit(
        "mail",
        Opener.NODE,
        Leads.LAN,
        Carries.NAMES,
        "the same, to staff's addresses; mail servers pass mails on",
        "store: `lan_uses`",
        False,
        "`handoff.smtp.host`",
        ("edge.fabric.mail",),
    ),
    Exit(
        "login provider",
        Opener.NODE,
        Leads.LAN,
        Carries.NAMES,
        "codes of a login; of staff, none of customers",
        "audit: the login",
        False,
        "`console.oidc.issuer`",
        ("edge.web.console.oidc",),
    ),
    Exit(
        "siblings",
        Opener.NODE,
        Leads.LAN,
        Carries.NOTHING,
        "`postern doctor` asks whether they are there; conversations move by the customer's page, sealed",
        NOT,
        False,
        "`siblings.urls`",
        ("edge.siblings_check",),
    ),
    Exit(
        "broker",
        Opener.NODE,
        Leads.LAN,
        Carries.NAMES,
        "a login and a subscription; the node only listens",
        NOT,
        False,
        '`mqtt.broker` = "external"; else on this machine',
        ("edge.fabric.listener",),
    ),
    Exit(
        "presence of a device",
        Opener.DEVICE,
        Leads.LAN,
        Carries.NAMES,
        "a device's name, online or offline; the node's own broker passes nothing on to others",
        NOT,
        False,
        "`mqtt.broker`",
        ("edge.fabric.kiosk", "edge.fabric.broker"),
    ),
    Exit(
        "announcement",
        Opener.NODE,
        Leads.LAN,
        Carries.NAMES,
        "multicast DNS: the node's name, addresses, port, version",
        NOT,
        False,
        "`discovery.enabled`",
        ("edge.fabric.multicast",),
    ),
    Exit(
        "pages and programs",
        Opener.ASKER,
        Leads.HOST,
        Carries.TEXT,
        "answers to customers, staff and programs, and what they download; the site's TLS proxy passes them on",
        "store: conversations; audit: what staff and programs take",
        False,
        "`http.host`, loopback only",
        ("edge.web.server",),
    ),
    Exit(
        "metrics",
        Opener.ASKER,
        Leads.HOST,
        Carries.RECORDS,
        "`/metrics`: counts and durations of the moment, small ones too",
        NOT,
        False,
        "always on, where `http.host` is served",
        ("edge.web.server",),
    ),
    Exit(
        "paper and codes",
        Opener.PERSON,
        Leads.CARRIED,
        Carries.TEXT,
        "what a browser prints, shows as a code or is photographed",
        NOT,
        False,
        "the browser's own",
    ),
    Exit(
        "files from the command line",
        Opener.PERSON,
        Leads.CARRIED,
        Carries.TEXT,
        "exports for a person, reports, receipts of erasures, the ledger",
        "audit: the command",
        False,
        "whoever may run `postern` as the node's user",
    ),
    Exit(
        "backups",
        Opener.PERSON,
        Leads.CARRIED,
        Carries.TEXT,
        "the store, encrypted; without people's keys",
        "audit: the command",
        False,
        "`postern backup`, `[backup]`",
    ),
    Exit(
        "support",
        Opener.PERSON,
        Leads.CARRIED,
        Carries.NAMES,
        "what `postern doctor` prints; there is no bundle and nothing sends one",
        NOT,
        False,
        "`postern doctor`",
    ),
    Exit(
        "logs",
        Opener.SYSTEM,
        Leads.CONFIGURED,
        Carries.NAMES,
        "times, codes, counts, names of files; no text. A journal may be forwarded by whoever administers the machine",
        NOT,
        False,
        "the machine's own",
    ),
    Exit(
        "crash reports",
        Opener.SYSTEM,
        Leads.CONFIGURED,
        Carries.NOTHING,
        "none: core dumps are forbidden, exceptions are logged by type",
        NOT,
        False,
        "cannot be turned on",
    ),
)

MEANS: Final = {
    "core.local_http": "HTTP inside the site, to addresses that were judged",
    "edge.egress.courier.cloud_channel": "channels to the control plane",
    "edge.egress.courier.proxy": "the courier's way to the control plane, direct or through the site's proxy",
    "edge.egress.courier.handshake": "why a channel to the control plane was refused",
    "edge.fabric.client": "connections to a broker inside the site",
}
"""Modules that open connections for those that `EXITS` names, and for nobody else. Module: what for."""

STAYS: Final = {
    "core.signs_of_life": "a datagram to the supervisor of this machine",
    "core.supervision": "starts the node's own processes",
    "edge.apart": "starts a process for heavy work",
    "edge.demo.customers": "the demo's customers, on loopback",
    "edge.demo.programs": "the demo's processes, on loopback",
    "edge.keys.tpm": "starts tpm2-tools, which speak with the chip of this machine",
    "edge.egress.reconciliation.meter": "starts nft, which asks the kernel of this machine what it counted",
    "edge.knowledge.reading": "starts the readers of documents",
    "edge.placed": "starts a trial of an encoder",
    "edge.privacy.report.pdf": "starts the maker of PDFs",
    "edge.web.admin": "the admin socket of this machine",
    "models.recipes.wheel": "pip fetches a wheel when models are built, before a site is served",
}
"""Modules that open a socket or start a process by which nothing leaves this machine while it serves. Module: what."""


def table() -> str:
    """The list as Markdown, for docs/privacy.md."""
    lines = [
        "| exit | opened by | leads to | carries at most | what | recorded | in the claim | turned on by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in EXITS:
        inside = "yes" if one.claimed else "no"
        cells = (one.name, one.opener, one.leads, one.carries, one.what, one.recorded, inside, one.on)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
