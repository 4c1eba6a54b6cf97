"""The measures for the rights of people and for what a machine must say of itself, each as it is at this site. Pure."""

from __future__ import annotations

from typing import Final

from edge.privacy.report.facts import Facts
from edge.privacy.report.measure import Aim, Measure, always
from edge.privacy.report.safeguards import SAFEGUARDS
from edge.privacy.report.wording import duration


def _wiping(facts: Facts) -> str:
    times = facts.times
    return (
        f"A conversation ends when the customer says so, after {duration(times.kiosk_silence_s)} of silence"
        f" at a kiosk and {duration(times.other_silence_s)} elsewhere, and after"
        f" {duration(times.conversation_s)} in any case. First its key is destroyed, then its rows are"
        " deleted: an older copy of the database cannot be read without that key."
    )


def _tickets(facts: Facts) -> str:
    return (
        "What is handed to staff is sealed under a key of its own. A minute after staff close the matter, at"
        f" once when the customer takes it back, and after {duration(facts.times.ticket_h * 3600)} in any"
        " case, the key is destroyed and the words are deleted; number and times stay a day longer."
    )


def _counts(facts: Facts) -> str:
    if not facts.others.control_plane:
        return "The site is enrolled at no control plane: no counts go up."
    return (
        f"Counts go to the control plane every {duration(facts.others.counts_every_s)}, those below five"
        " without their value; no row is about a single conversation, and none has words in it."
    )


def _marking(facts: Facts) -> str:
    if facts.site.answer_mode == "extractive":
        return (
            "Answers at this site are passages of the site's own documents, quoted word for word with their"
            " source (`answer.mode` is `extractive`); the page says “From our documents”. No text is"
            " generated."
        )
    return (
        "Answers may be written by a language model (`answer.mode` is `generative`). Each is marked in a"
        " form that programs read (`route` is `generate`, or `overflow` where the control plane's model wrote it)"
        " and on the page (“Written by AI from our documents”, “… with help from outside this building”);"
        " each sentence is shown only once a sentence of a document bears it out."
    )


def _erasure(facts: Facts) -> str:
    backups = facts.rows_of("backups")
    beside = (
        f"{backups} backups are known; a small file beside each holds the keys of people, and every erasure"
        " writes it anew without those that were shredded."
        if backups
        else "No backup is known at this site."
    )
    return (
        "A person is forgotten while the node serves: conversations end, keys are shredded, rows deleted,"
        " caches and logs of the databases emptied; a receipt is signed that names nobody. A restore takes"
        f" everybody on the list of erasures away again before the site opens. {beside} So far"
        f" {facts.rows_of('erasures')} erasures."
    )


def _hold(facts: Facts) -> str:
    return (
        "A legal hold keeps a person's data against erasure, wiping, age and restore until it is released;"
        f" an erasure that was asked for meanwhile is carried out then. Now: {facts.rows_of('holds')}."
    )


DUTIES: Final = (
    Measure(
        "notice",
        "Told before the first question",
        Aim.RIGHTS,
        "GDPR Art. 12, 13; AI Act Art. 50(1)",
        "built in; text in this report",
        always(
            "No question is taken before the notice was shown and accepted. Its version is a hash of its"
            " words, and what was accepted is stored with the conversation."
        ),
    ),
    Measure(
        "consent",
        "Agreement to text leaving, apart from the notice",
        Aim.RIGHTS,
        "GDPR Art. 7",
        "`policy.toml` (`consent`)",
        always(
            "Whether text may leave is asked apart from the notice, refused unless given, and opens nothing"
            " that the site's policy refuses. It can be read again and taken back at any time at the kiosk,"
            " and holds for the next text. Each change of mind is a row with the version of the words, kept"
            " as proof under a keyed digest."
        ),
    ),
    Measure(
        "export",
        "Everything of a person as one document",
        Aim.RIGHTS,
        "GDPR Art. 12, 15, 20",
        "`postern privacy export`",
        always(
            "What is stored of a person is found by what they can name (a number of a ticket, a"
            " conversation, the name under which a program knows them) and handed over as one page or as"
            " JSON: every column that is tagged as theirs, with its purpose and its time. Each look and each"
            " export is a row of audit."
        ),
    ),
    Measure(
        "erasure",
        "Erasure with a receipt, backups included",
        Aim.RIGHTS,
        "GDPR Art. 17, 5(2)",
        "`postern privacy erase`",
        _erasure,
    ),
    Measure(
        "legal-hold",
        "Legal holds win, and say so",
        Aim.RIGHTS,
        "GDPR Art. 17(3), 18",
        "`postern privacy hold`",
        _hold,
    ),
    Measure(
        "retention",
        "Every table has a term",
        Aim.RIGHTS,
        "GDPR Art. 5(1)(e)",
        "`[retention]`, `postern privacy retention`",
        always(
            "Rows that go by age are purged within the hour after their last day, from the database and its"
            " log; a table without a rule cannot be added. A clock that leaps ahead is doubted first, so"
            " that a mistake erases nothing early."
        ),
    ),
    Measure(
        "wiping",
        "Conversations are wiped",
        Aim.RIGHTS,
        "GDPR Art. 5(1)(e), 17",
        "`[limits]`",
        _wiping,
    ),
    Measure(
        "tickets",
        "Conversations with staff are forgotten",
        Aim.RIGHTS,
        "GDPR Art. 5(1)(e)",
        "`handoff.keep_h`",
        _tickets,
    ),
    Measure(
        "counts-only",
        "Only counts, and small ones hidden",
        Aim.RIGHTS,
        "GDPR Art. 5(1)(c), 25",
        "`telemetry.bucket_s`",
        _counts,
    ),
    Measure(
        "human",
        "A person can always be asked for",
        Aim.MACHINE,
        "GDPR Art. 22; AI Act Art. 14 (where it applies)",
        "console, page Inbox",
        always(
            "A customer can ask for a member of staff at any time, and the desk offers one where the"
            " documents have no answer, where several meanings remain, and in danger. The desk decides"
            " nothing about anybody: it gives information."
        ),
    ),
    Measure(
        "danger",
        "Danger is answered at once",
        Aim.MACHINE,
        "",
        "`[safety]`",
        always(
            "Emergencies, thoughts of suicide and lost bank cards bring a fixed card with a telephone number"
            " before anything is searched. It is found by rules and a small model on this machine; nobody is"
            " told, and only their number is counted."
        ),
    ),
    Measure(
        "marking",
        "What a machine wrote is marked",
        Aim.MACHINE,
        "AI Act Art. 50(2)",
        "`answer.mode`",
        _marking,
    ),
    Measure(
        "sources",
        "Answers come with their source",
        Aim.MACHINE,
        "GDPR Art. 5(1)(d)",
        "`answer.evidence_min`",
        always(
            "Below a set probability of being right nothing is shown but “not in our documents” and the"
            " offer of a person. What an answer quotes is kept in the version that it quotes."
        ),
    ),
    Measure(
        "gated-models",
        "Only models that passed here",
        Aim.MACHINE,
        "AI Act Art. 15 (where it applies)",
        "`postern models verify`",
        always(
            "No model serves unless its hash is in the catalogue and it passed its set of questions on this"
            " very machine."
        ),
    ),
)

MEASURES: Final[tuple[Measure, ...]] = (*SAFEGUARDS, *DUTIES)


def measure(wanted: str) -> Measure:
    """One of them by its id. Raises KeyError."""
    found = {one.id: one for one in MEASURES}
    return found[wanted]
