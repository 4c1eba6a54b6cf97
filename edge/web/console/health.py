"""How the site is, in sentences with what to do: from the facts of `status` to findings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from edge.store.operators import Seal

Level = Literal["good", "warning", "bad"]

# A queue that is three quarters full will soon refuse.
QUEUE_NEARLY_FULL = 0.75
# A model update needs room for a second copy of the models beside the store's growth; as `postern doctor` says.
DISK_FREE_BYTES_MIN = 2 * 10**9
# Counts go up by the hour: older than a day, nobody is taking them.
OUTBOX_OLD_S = 86_400
# The record of what left is compared with the kernel's counters every minute: so late, the meter does not run.
COMPARED_LATE_MS = 600_000


@dataclass(frozen=True)
class Finding:
    """One thing about the site: what is so, and what to do when it is not well."""

    id: str
    level: Level
    title: str
    detail: str
    remedy: str = ""
    action: str = ""
    """The page where one does that, as its rule names it."""


@dataclass(frozen=True)
class Facts:
    """What the findings are drawn from. `status` is the operation's own answer, the same as `postern status`."""

    status: Mapping[str, Any]
    not_ready: Sequence[str]
    questions_waiting_max: int
    disk_free_bytes: int
    emergency: bool
    """Somebody is logged in with the break-glass account."""
    seal: Seal
    """Of that account."""
    now_ms: int = 0
    """Unix time."""
    documents_differ: int = 0
    """Pairs of documents that contradict each other, as customers were shown them."""


# What runs weaker than asked, by component: what it means for people, and what to do.
_FALLBACKS: Mapping[str, tuple[str, str]] = {
    "encoder": (
        "Search by meaning runs on a slower engine than this machine has.",
        "Set models.runtime to auto, or build the models again: postern models build.",
    ),
    "encoder_version": (
        "The current version of the search model is damaged; the version before serves.",
        "Which file: postern doctor. Import or build the model again, or stay: postern models use NAME --previous.",
    ),
    "llm_version": (
        "The current version of the language model is damaged; the version before serves.",
        "Which file: postern doctor. Import or build the model again, or stay: postern models use NAME --previous.",
    ),
    "fitted_models": (
        "The search model is the site's own: answers, their order and danger are judged by words alone.",
        "Ask golden questions and see how it answers; Learning fits what may be. Or use Postern's own model again.",
    ),
    "detector": (
        "The search model has no detector of names: they are not recognised, so no text may leave the site.",
        "Use Postern's own search model where text is to leave: postern models use all-minilm-l6-v2.",
    ),
    "detector:failed": (
        "The detector of names failed when it was asked last: they are not recognised, so no text may leave the site.",
        "Build the search model again (postern models build), then restart the node. If it lasts, look at its log.",
    ),
    "vectors": (
        "The search model has changed; documents are found by their words until all are read by the new one.",
        "Wait. How far that is: postern status.",
    ),
    "egress": (
        "All of the site's processes share one user, so the system cannot keep the others from the network.",
        "Install with the installer: each process then has a user of its own.",
    ),
    "egress:unconfined": (
        "The system does not keep the site's other processes from the network: its rules of who may send are gone.",
        "Load them: systemctl reload-or-restart postern-egress, and start the meter: systemctl start postern-meter.",
    ),
    "ledger:unexplained": (
        "Within the last day bytes left this machine that the record of what left does not explain.",
        "See postern ledger verify, then docs/operations.md, Bytes that the ledger does not explain.",
    ),
    "keys": (
        "This machine has no TPM: the key that opens all others lies in a file, and whoever copies the disk has it.",
        "Encrypt the machine's disk; or switch the TPM on in its firmware, then: postern keys seal.",
    ),
    "keys:not_sealed": (
        "The key that opens all others lies in a file, though this machine has a TPM: whoever copies the disk has it.",
        "Move it into the TPM: postern keys seal.",
    ),
    "memory": (
        "What is in memory, customers' words among it, can reach the disk by way of swap.",
        "What to do on this machine: postern doctor.",
    ),
    "store": (
        "Rows that were stored are missing: a damaged log, an older file that was put back, or a disk that forgot.",
        "The audit says how many. Look at the disk; if they matter, restore a backup: postern restore.",
    ),
    "records": (
        "The store takes no row: its disk is full, read-only or broken. What is not recorded now will be missing.",
        "Make room on the disk, or mount it to be written. It goes on by itself; the audit then says what is missing.",
    ),
    "ladder:queue_full": (
        "More people ask than can be answered: within the last minute some got the desk's card, or were asked to wait.",
        "Wait a minute. If it happens every day, the machine is too small, or a sibling should help.",
    ),
    "ladder:encoder_lost": (
        "Questions cannot be looked up, because the search model does not run: customers get the desk's card.",
        "Look at the node's log, then: postern doctor. Restart the node if it does not come back.",
    ),
    "ladder:store_unwritable": (
        "Answers were refused because they could not be recorded, as answer.unrecorded says.",
        "Make room on the disk, or mount it to be written. It goes on by itself.",
    ),
    "policy": (
        "No privacy policy is in force, so no text is handed on.",
        "Why, and what to do, says the page Privacy.",
    ),
    "clock": (
        "The machine's clock has leapt ahead; nothing that it makes old is removed for a day, in case it is wrong.",
        "Set the clock; if it is right, wait.",
    ),
    "generation": (
        "The language model does not answer; customers get quotes instead.",
        "It restarts by itself. If it lasts, look at the worker's log and at the machine's memory.",
    ),
    "writer_own": (
        "This machine's language model does not run, or failed several times in a row.",
        "It is tried again within seconds. If it lasts: is the machine fast enough for answer.first_token_deadline_s?",
    ),
    "writer_lan": (
        "The site's language model server failed several times in a row, or asked to be left alone.",
        "It is tried again within seconds. If it lasts, look at that server's log and load.",
    ),
    "writer_cloud": (
        "The control plane's language model failed several times in a row, or asked to be left alone.",
        "It is tried again within seconds. If it lasts, tell whoever runs the control plane.",
    ),
    "answers": (
        "There are too many passages to read every sentence: more questions end with “not in our documents”.",
        "Remove or retire what customers do not ask about, then restart the node.",
    ),
    "ranking": (
        "What the site has learnt of which passages come first is damaged; what Postern ships serves.",
        "Learn again, or go back: postern learn --roll-back ranking.",
    ),
    "evidence": (
        "What the site has learnt of how sure an answer must be is damaged; what Postern ships serves.",
        "Learn again, or go back: postern learn --roll-back evidence.",
    ),
    "intents": (
        "The site's intents do not serve; questions are answered without them.",
        "Open Intents and train them, or let a version before serve again.",
    ),
    "notify_mail": (
        "Staff are not told of tickets by mail; the inbox has them all the same.",
        "Check [handoff.smtp] in site.toml and the site's mail server.",
    ),
    "notify_webhook": (
        "Staff are not told of tickets through the webhook; the inbox has them all the same.",
        "Check [handoff.webhook] in site.toml and the service that it names.",
    ),
    "mqtt": (
        "The kiosks' broker is away: this page cannot say which kiosks are on.",
        "Check [mqtt] in site.toml; set it to off if the site has no kiosks.",
    ),
    "console": (
        "The staff's pages have failed.",
        "Restart the node; if it comes back, report it with the log.",
    ),
    "console-oidc": (
        "The organisation's login is off: a file of [console.oidc] cannot be read.",
        "Correct client_secret_file or ca_file in site.toml, then restart. Local accounts work.",
    ),
    "audit": (
        "Rows of the audit cannot be written, so nothing that is written down can be seen or changed.",
        "Look at the disk and at the node's log.",
    ),
    "audit_rows": (
        "Rows of the audit are missing, and retention did not take them: somebody who has the site's keys did.",
        "Which: postern audit verify. Tell the data-protection officer; keep the store and its backups as they are.",
    ),
    "discovery": (
        "The node cannot announce itself on the local network.",
        "Let UDP port 5353 through, or set discovery.enabled to false.",
    ),
}
_PART_FAILED = (
    "This part of the node has failed: {}.",
    "Restart the node; if it comes back, report it with the log.",
)
_SEALS: Mapping[Seal, str] = {
    Seal.BROKEN: "The break-glass account was used since it was sealed: its two halves are known, and void.",
    Seal.OLD: "The break-glass account is sealed with one password, as releases before did; it opens nothing any more.",
}
_NOT_OURS = "What answers is not the site's control plane; nothing was said to it. Check address and network."
_PROXY_WORDS: Mapping[str, str] = {
    "proxy_unreachable": "The site's proxy does not answer. Check egress.proxy.url, and the proxy.",
    "proxy_login": "The site's proxy does not accept the login. Check egress.proxy.username and password_file.",
    "proxy_refused": "The site's proxy opens no way to the control plane. Whoever runs it must permit CONNECT.",
    "proxy_tls": "The certificate of the site's proxy is not of egress.proxy.ca_file, for another name or not valid"
    " today, or no TLS (1.2 at least) is spoken there: the courier's log says which. The proxy was told nothing.",
}
_SYNC_WORDS: Mapping[str, str] = {
    **{f"link_{code}": words for code, words in _PROXY_WORDS.items()},
    "courier_not_reachable": "The courier, the only way out, is not running. It restarts by itself.",
    "link_unreachable": "Nobody answers at the control plane's address. Check network, firewall and address.",
    "link_refused": "The control plane does not accept the certificate. Enrol the site again.",
    "link_peer_unknown": f"{_NOT_OURS} Its certificate is not of the authority that this site was enrolled with."
    " A proxy that opens TLS to look inside shows such a one: let it pass the control plane's address untouched.",
    "link_peer_expired": "The control plane's certificate has expired, or this machine's clock is wrong.",
    "link_peer_not_yet_valid": "The control plane's certificate is not valid yet, or this machine's clock is wrong.",
    "link_peer_other_name": f"{_NOT_OURS} Its certificate is for another name.",
    "link_peer_wrong_use": f"{_NOT_OURS} Its certificate is not one of a control plane.",
    "link_peer_not_tls": f"{_NOT_OURS} It speaks no TLS of today.",
    "goodbye_revoked": "An admin of the control plane has revoked this node. Ask them, then enrol again.",
}


OVERFLOW_REMEDIES: Mapping[str, str] = {
    "courier_away": "The courier, the only way out, is not running. It restarts by itself.",
    "not_enrolled": "Enrol the site: postern enroll. Or let the policy not permit it.",
    "unreachable": "Look at the network and at the control plane.",
    "refused": "The control plane does not accept the certificate. Enrol the site again.",
    **_PROXY_WORDS,
}
"""What to do where the way to the control plane's language model is not open, by `OverflowClient.reason`."""


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Every finding, the worst first, in a fixed order within a level."""
    found = [
        *_emergency(facts),
        _ready(facts),
        *(_fallback(code, facts) for code in facts.status.get("fallbacks", ())),
        _queue(facts),
        *_ladder(facts),
        _knowledge(facts),
        *_differences(facts),
        _disk(facts),
        _link(facts),
        *_overflow(facts),
        *_outbox(facts),
        *_record(facts),
    ]
    order: dict[Level, int] = {"bad": 0, "warning": 1, "good": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _emergency(facts: Facts) -> list[Finding]:
    title = "Emergency account"
    remedy = "When it is over, seal it anew, in two envelopes: postern operators break-glass."
    if facts.emergency:
        return [
            Finding("emergency", "bad", title, "Somebody is logged in with the break-glass account.", remedy)
        ]
    detail = _SEALS.get(facts.seal)
    return [Finding("emergency", "warning", title, detail, remedy)] if detail else []


def _ready(facts: Facts) -> Finding:
    if not facts.not_ready:
        return Finding("ready", "good", "Questions", "Questions are answered.")
    remedy = "Wait a minute. If it happens every day, the machine is too small."
    return Finding(
        "ready", "bad", "Questions", "Too many people are asking; new questions are refused.", remedy
    )


def _fallback(code: str, facts: Facts) -> Finding:
    component, _, reason = code.partition(":")
    lost = facts.status.get("encoder", {}).get("fallback") if component == "encoder" else None
    if lost and lost["reason"] == reason:
        return _device_lost(lost)
    usual = _FALLBACKS.get(component, (_PART_FAILED[0].format(component), _PART_FAILED[1]))
    detail, remedy = _FALLBACKS.get(code, usual)
    return Finding(
        f"fallback-{component}", "warning", f"Weaker than asked: {component}", f"{detail} ({reason})", remedy
    )


def _device_lost(lost: Mapping[str, Any]) -> Finding:
    """The encoder runs elsewhere than the settings ask: what lacks, what that costs, what to do."""
    slower = f" That takes {lost['slowdown']:.1f} times as long." if lost.get("slowdown") else ""
    detail = (
        f"{lost['wanted']} is asked for; the processor serves.{slower} {lost['detail']} ({lost['reason']})"
    )
    return Finding("fallback-encoder", "warning", "Weaker than asked: encoder", detail, str(lost["remedy"]))


def _queue(facts: Facts) -> Finding:
    waiting = int(facts.status.get("queue", {}).get("waiting", 0))
    detail = f"{waiting} of at most {facts.questions_waiting_max} wait."
    if waiting < QUEUE_NEARLY_FULL * facts.questions_waiting_max:
        return Finding("queue", "good", "Waiting questions", detail)
    return Finding(
        "queue", "warning", "Waiting questions", detail, "If it happens every day, the machine is too small."
    )


def _knowledge(facts: Facts) -> Finding:
    knowledge = facts.status.get("knowledge", {})
    documents, chunks = int(knowledge.get("documents", 0)), int(knowledge.get("chunks", 0))
    if documents:
        return Finding("knowledge", "good", "Documents", f"{documents:,} documents in {chunks:,} passages.")
    detail = "There are no documents yet: every question ends with a person."
    remedy = "Add the first on the page Documents, or with postern kb add."
    return Finding("knowledge", "warning", "Documents", detail, remedy, "documents.view")


def _ladder(facts: Facts) -> list[Finding]:
    """How good the service was, once anybody got less than an answer or a model wrote any."""
    taken = facts.status.get("ladder", {})
    words, quotes, cards, refused = (
        int(taken.get(step, 0)) for step in ("generative", "extractive", "card", "refused")
    )
    if not (words or cards or refused):
        return []
    detail = (
        f"Since the start {words:,} questions were answered in a model's words, {quotes:,} from documents alone; "
        f"{cards:,} got the desk's card, {refused:,} were asked to come back."
    )
    return [Finding("ladder", "good", "Service", detail)]


def _differences(facts: Facts) -> list[Finding]:
    count = facts.documents_differ
    if not count:
        return []
    who = "Two documents" if count == 1 else f"{count} pairs of documents"
    detail = f"{who} contradict each other. Customers are shown both and told so."
    remedy = "Correct the document that is wrong, or retire it."
    return [
        Finding("differences", "warning", "Documents that differ", detail, remedy, "documents.differences")
    ]


def _disk(facts: Facts) -> Finding:
    detail = f"{facts.disk_free_bytes / 1e9:.1f} GB are free."
    if facts.disk_free_bytes >= DISK_FREE_BYTES_MIN:
        return Finding("disk", "good", "Disk", detail)
    return Finding("disk", "bad", "Disk", detail, "Free some space, or move the site to a larger disk.")


def _link(facts: Facts) -> Finding:
    sync = facts.status.get("sync", {})
    if not sync.get("enrolled"):
        return Finding(
            "link", "good", "Control plane", "This site works on its own; it has not been enrolled."
        )
    if sync.get("connected"):
        return Finding("link", "good", "Control plane", "Connected.")
    code = str(sync.get("last_error", ""))
    detail = f"Not connected{f' ({code})' if code else ''}. Customers are answered all the same."
    return Finding(
        "link", "warning", "Control plane", detail, _SYNC_WORDS.get(code, "It is tried again by itself.")
    )


def _overflow(facts: Facts) -> list[Finding]:
    told = facts.status.get("overflow") or {}
    if not told.get("offered"):
        return []
    name = "Help from outside"
    if told.get("ready"):
        return [
            Finding(
                "overflow", "good", name, "The control plane writes answers where this site cannot in time."
            )
        ]
    reason = str(told.get("reason", ""))
    detail = f"The policy permits it, but no way is open ({reason}). Customers get quotes when nobody here can write."
    return [
        Finding(
            "overflow", "warning", name, detail, OVERFLOW_REMEDIES.get(reason, "It is tried again by itself.")
        )
    ]


def _outbox(facts: Facts) -> list[Finding]:
    sync, rows = facts.status.get("sync", {}), int(facts.status.get("outbox", {}).get("rows", 0))
    if not sync.get("enrolled"):
        return []
    old = int(sync.get("outbox_oldest_s", 0)) > OUTBOX_OLD_S
    remedy = "Nothing is lost. Look at the connection to the control plane." if old else ""
    detail = f"{rows:,} rows of counts and states wait to be sent."
    return [Finding("outbox", "warning" if old else "good", "Waiting to be sent", detail, remedy)]


def _record(facts: Facts) -> list[Finding]:
    """How the ledger stands; whether it is whole says only who reads all of it."""
    title, sync = "Record of what left", facts.status.get("sync", {})
    if "ledger" not in sync:
        return []
    told = sync["ledger"]
    if told is None:
        detail = "The courier, which keeps it, does not answer. Nothing leaves this site meanwhile."
        remedy = "It restarts by itself. If it does not, look at its log."
        return [Finding("record", "warning" if sync.get("enrolled") else "good", title, detail, remedy)]
    says = [f"{told['entries']:,} entries."]
    if told["witnessed_s"]:
        at = _moment(told["witnessed_s"] * 1000)
        says.append(f"The control plane's witness signed {told['witnessed_entries']:,} of them at {at}.")
    else:
        says.append("The control plane's witness has signed none of them.")
    compared = told["compared_ms"]
    says.append(
        f"Compared with the kernel's counters until {_moment(compared)}."
        if compared
        else "Not compared with the kernel's counters since the courier started: what it does not name could have left."
    )
    late = compared < facts.now_ms - COMPARED_LATE_MS
    remedy = (
        "Does the meter run? systemctl status postern-meter. After a start of the courier it takes a minute."
    )
    whole = "Whether it is whole says the weekly report."
    return [
        Finding(
            "record",
            "warning" if late else "good",
            title,
            " ".join(says),
            remedy if late else whole,
            "" if late else "reports.view",
        )
    ]


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
