"""The measures of security (GDPR Art. 32), each as it is at this site. Pure."""

from __future__ import annotations

from typing import Final

from edge.privacy.report.facts import Facts
from edge.privacy.report.measure import Aim, Measure, always
from edge.privacy.report.wording import duration, joined, text_may_go

_UNITS: Final = "`firmware_scripts/units`"


def _keys(facts: Facts) -> str:
    root = (
        "The root key lies sealed in the machine's TPM."
        if facts.keys.root_in == "tpm"
        else "No TPM is in use: the root key lies in a file that only the node's account can read (mode 0600)."
    )
    away = (
        " The recovery key still lies on the machine (`recovery-key`): print it and take it away."
        if facts.keys.recovery_key_here
        else " The recovery key, which alone brings the root key back, was taken away from the machine."
    )
    signing = (
        "The key that signs the privacy policy is on this machine, too."
        if facts.keys.policy_key_here
        else "The key that signs the privacy policy is kept elsewhere."
    )
    return (
        "A root key opens the site's key, that opens what the two databases are encrypted with, and one of"
        f" them holds a key for each person. {root}{away} {signing}"
    )


def _pseudonyms(facts: Facts) -> str:
    used = (
        "Text is handed on at this site, so tokens are in use where the policy says so."
        if text_may_go(facts)
        else "No text is handed on at this site as it is configured, so no token is in use."
    )
    return (
        "Where the policy says “redact”, each personal value is replaced before a text is handed on by a"
        " token that is drawn at random; which token stands for which value is kept sealed on this machine,"
        f" for one conversation and one purpose. {used}"
    )


def _detection(facts: Facts) -> str:
    own = (
        f" The site has added {facts.site.own_identifiers} of its own."
        if facts.site.own_identifiers
        else " The site has added none of its own."
    )
    return (
        "Every question is scanned for personal data by forms and check digits, by a small network for"
        " names, addresses and dates, and for special categories (Art. 9, 10). How much is missed in each"
        f" language stands in the assessment of risks.{own}"
    )


def _policy(facts: Facts) -> str:
    if facts.policy.trouble:
        return (
            f"No policy is in force ({facts.policy.trouble}), and so no text is handed on, whatever is"
            " switched on."
        )
    tighter = (
        f" The control plane has tightened it with “{facts.policy.tightened_by}”."
        if facts.policy.tightened_by
        else ""
    )
    return (
        f"The policy “{facts.policy.name}”, signed with the site's own key on {facts.policy.signed_on} and in"
        f" force until {facts.policy.valid_until}, says what may be handed on; what it does not name is"
        f" refused, and so is everything when a step fails, when it has expired or was edited since.{tighter}"
    )


_APART: Final[dict[bool | None, str]] = {
    True: "The processes have accounts of their own, and the kernel refuses connections to the internet to all"
    " but the courier.",
    False: "At this site the kernel does not enforce it: the processes share one account, or the rules of who may send"
    " what are not in force. Installing with the installer mends this.",
    None: "Whether the kernel enforces it as well is not known: no node runs. Make the report while it does.",
}


def _one_way_out(facts: Facts) -> str:
    return (
        "Only one process, the courier, may open a connection that leaves the site, and it keeps no text."
        f" {_APART[facts.site.processes_apart]}"
    )


def _record(facts: Facts) -> str:
    used = (
        f"The site is enrolled at {facts.others.control_plane}."
        if facts.others.control_plane
        else "The site is enrolled at no control plane: nothing leaves by this way."
    )
    return (
        "Of each envelope a leaf with destination, kind, size and a salted hash is on disk before its first"
        f" byte is sent; the leaves are those of a Merkle tree whose checkpoints are signed. {used} A history that was"
        " written anew, or whose end was cut off, shows only against a checkpoint that somebody keeps elsewhere."
    )


def _local_network(facts: Facts) -> str:
    on = servers(facts)
    told = f"Switched on here: {joined(on)}." if on else "None is switched on here."
    return (
        "Servers on the site's own network are connected to only at private addresses, judged after the name"
        f" was resolved, and off this machine only by TLS with a certificate that is checked. {told}"
    )


def servers(facts: Facts) -> list[str]:
    """Servers of the site's network that the node calls, with their hosts."""
    others = facts.others
    named = {
        "a language model server": others.llm_server,
        "a mail server": others.mail,
        "a webhook": others.webhook,
        "a login provider": others.login_provider,
        "an MQTT broker": others.broker_host if others.broker == "external" else "",
    }
    return [f"{what} ({host})" for what, host in named.items() if host]


def _access(facts: Facts) -> str:
    provider = (
        f"People also log in through the organisation's provider ({facts.others.login_provider})."
        if facts.others.login_provider
        else "No login provider is switched on: all accounts are of this site."
    )
    staff = facts.staff
    return (
        "Every member of staff has an account of their own, with one or more of three roles; one table says"
        " which role may use which page, and what is not in it is refused. The desk reads what is handed to"
        " it; the role data protection opens what is stored of a person to answer that person's request. A"
        " login at the console is refused from another address or kind of browser than it was made in;"
        " programs' tokens are not bound so. Passwords are kept as argon2id. Now:"
        f" {staff.technicians} with the role technician, {staff.desk} desk, {staff.data_protection} data"
        f" protection. {provider}"
    )


def _transmission(facts: Facts) -> str:
    before = (
        "A TLS proxy of the site stands before it, which the settings say (`console.behind_tls_proxy`); the"
        " proxy itself is the site's."
        if facts.site.behind_tls_proxy
        else "The settings name no TLS proxy before it: customers and staff can reach it only from this machine."
    )
    cloud = (
        " Between node and control plane both sides prove themselves by certificates (mutual TLS); whoever"
        " is refused there is a row on both sides."
        if facts.others.control_plane
        else ""
    )
    return f"The node listens on this machine alone (loopback, port {facts.site.port}). {before}{cloud}"


_SWAP: Final[dict[bool | None, str]] = {
    True: "Swap is possible at this site: encrypt or turn off the swap device.",
    False: "Swap is impossible here: the machine has none, the units forbid it, or the memory is locked.",
    None: "Whether swap is possible is not known: no node runs. Make the report while it does.",
}


def _memory(facts: Facts) -> str:
    return (
        "Each process forbids core files, and a look at its memory by another program of its own account."
        f" {_SWAP[facts.site.memory_can_be_swapped]}"
    )


def _durability(facts: Facts) -> str:
    first = "An answer is shown as final only after its row is on disk."
    if facts.site.unrecorded == "answer":
        first = (
            "An answer is shown as final only after its row is on disk, or with the words that it is not on record:"
            " at this site answers go on while the disk takes no row (`answer.unrecorded` is `answer`). Nothing of"
            " them is kept, nothing leaves meanwhile, and a row of audit (`store.gap`) says how many are missing."
        )
    return (
        f"{first} The three processes are supervised and started again; the desk answers without control plane,"
        " broker and network. Every queue has a limit and a decided answer at it."
    )


def _emergency(facts: Facts) -> str:
    if not facts.staff.emergency_account:
        return (
            "Not ready at this site: no account for emergencies is sealed (`postern operators break-glass`)."
        )
    return (
        "An account for emergencies is sealed in two envelopes, and opens with both halves only. From its"
        f" first use it opens for {duration(facts.times.emergency_s)}; then both halves are void. Each use is"
        " a row of audit and is shown to all staff."
    )


def _backup(facts: Facts) -> str:
    made = facts.rows_of("backups")
    here = f"Known at this site: {made}." if made else "None was made at this site yet."
    return (
        "A backup is made while the node serves, and encrypted to the recovery key (age); it does not hold"
        " the keys of people, which lie in a small file beside it. A restore changes old for new in one"
        f" step, and takes out what was erased since. {here}"
    )


SAFEGUARDS: Final = (
    Measure(
        "encryption-at-rest",
        "Encryption at rest",
        Aim.PSEUDONYMS,
        "HIPAA 164.312(a)(2)(iv)",
        "`store/site.db`, `store/keys.db`",
        always(
            "Both databases are encrypted as a whole (SQLCipher, AES-256). Words in conversations and tickets"
            " are sealed once more under a key of their own (AES-256-GCM, bound to person, table, row and"
            " column). Questions without an answer and examples are not: what was found personal in them was"
            " replaced before, and they are tied to nobody."
        ),
    ),
    Measure("keys", "Keeping of keys", Aim.PSEUDONYMS, "", "`keys/`, `postern keys`", _keys),
    Measure(
        "pseudonyms",
        "Tokens in the place of personal values",
        Aim.PSEUDONYMS,
        "GDPR Art. 4(5), 25",
        "`policy.toml`",
        _pseudonyms,
    ),
    Measure(
        "detection",
        "Finding what is personal",
        Aim.CONFIDENTIALITY,
        "GDPR Art. 25",
        "`[[privacy.identifiers]]`, `postern privacy scan`",
        _detection,
    ),
    Measure(
        "policy",
        "Nothing is handed on unscanned or unpermitted",
        Aim.CONFIDENTIALITY,
        "GDPR Art. 25, 44",
        "`policy.toml`, `postern privacy policy`",
        _policy,
    ),
    Measure("one-way-out", "One way out", Aim.CONFIDENTIALITY, "GDPR Art. 44", _UNITS, _one_way_out),
    Measure(
        "record-of-egress",
        "Recorded before it is sent",
        Aim.INTEGRITY,
        "GDPR Art. 5(2)",
        "`courier/ledger.db`, `postern ledger verify`",
        _record,
    ),
    Measure(
        "local-network",
        "Servers of the site's network only",
        Aim.CONFIDENTIALITY,
        "",
        "`[models.llm_server]`, `[handoff]`, `[console.oidc]`, `[mqtt]`",
        _local_network,
    ),
    Measure(
        "access",
        "Roles of staff, refused unless named",
        Aim.CONFIDENTIALITY,
        "GDPR Art. 29; HIPAA 164.312(a)(1), (a)(2)(i), (d)",
        "`postern operators`, `[console.oidc]`",
        _access,
    ),
    Measure(
        "log-off",
        "Log-off of idle staff",
        Aim.CONFIDENTIALITY,
        "HIPAA 164.312(a)(2)(iii)",
        "`console.idle_log_off_s`",
        lambda facts: f"A login at the console ends after {duration(facts.times.staff_idle_s)} without use.",
    ),
    Measure(
        "emergency-access",
        "Access in an emergency",
        Aim.CONFIDENTIALITY,
        "HIPAA 164.312(a)(2)(ii)",
        "`postern operators break-glass`",
        _emergency,
    ),
    Measure(
        "transmission",
        "Protection on the way",
        Aim.CONFIDENTIALITY,
        "HIPAA 164.312(e)",
        "`[http]`, `console.behind_tls_proxy`",
        _transmission,
    ),
    Measure(
        "no-text-in-logs",
        "No words of customers in logs, figures and addresses",
        Aim.CONFIDENTIALITY,
        "GDPR Art. 25",
        "`/etc/systemd/journald.conf` (how long logs stay)",
        always(
            "Logs and metrics hold times, codes, counts and names of settings; an error is logged by its"
            " type, because its message may quote what it failed on. There is no log of web requests."
        ),
    ),
    Measure(
        "audiences",
        "Documents for staff stay with staff",
        Aim.CONFIDENTIALITY,
        "",
        "`postern kb add --audience`",
        always(
            "Documents for staff are in search indexes of their own, to which a public question has no"
            " reference. Who asks is told by the login, never by what the request says."
        ),
    ),
    Measure(
        "audit",
        "Who saw, changed or was refused what",
        Aim.INTEGRITY,
        "GDPR Art. 5(2); HIPAA 164.312(b)",
        "console, page Audit; `postern audit list`, `export`, `verify`",
        always(
            "Every route and every operation has a rule that says what is written down: views, changes,"
            " exports, deletions and refusals are rows with who, when, what by its identifier, and how it"
            " ended. People are named by a keyed digest. A row and the change that it tells of commit"
            " together; rows are only added, and gaps and altered counts are found."
        ),
    ),
    Measure(
        "integrity",
        "What is stored is what was written",
        Aim.INTEGRITY,
        "HIPAA 164.312(c)(1), (c)(2)",
        "`postern doctor`, `postern models verify`",
        always(
            "Each page of the databases carries a keyed checksum (HMAC), and commits are counted beside"
            " them, so that a log that lost its end or an older file that was put back is noticed; sealed"
            " values open only at the row and column that they were written for; `postern doctor` reads"
            " every page. Models run only with the hash that the catalogue and this machine's own gate have"
            " on record."
        ),
    ),
    Measure(
        "durability",
        "Nothing that was confirmed is lost",
        Aim.AVAILABILITY,
        "",
        "built in",
        _durability,
    ),
    Measure("memory", "Memory stays off the disk", Aim.CONFIDENTIALITY, "", _UNITS, _memory),
    Measure(
        "backup",
        "Backups that are encrypted, and restored in tests",
        Aim.AVAILABILITY,
        "GDPR Art. 32(1)(c); HIPAA 164.308(a)(7)",
        "`postern backup`, `postern restore`",
        _backup,
    ),
    Measure(
        "tested-releases",
        "Tests of every release",
        Aim.TESTING,
        "GDPR Art. 24, 25",
        "annex Evidence",
        always(
            "A change goes into the product only when all its tests pass. Those that prove a measure are"
            " named in the annex, with how they ended on this build. What the detector misses is measured on"
            " sentences that it was not trained on."
        ),
    ),
    Measure(
        "no-telemetry",
        "Libraries report to nobody",
        Aim.CONFIDENTIALITY,
        "GDPR Art. 44",
        "built in",
        always(
            "Libraries that would send usage to their makers are told not to before they are loaded; where"
            " the systemd units are installed, the kernel refuses it as well."
        ),
    ),
)
