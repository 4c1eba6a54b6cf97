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
        " form that programs read (`route` is `generate`) and on the page (“Written by AI from our"
        " documents”); each sentence is shown only once a sentence of a document bears it out."
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
            " that the site's policy refuses."
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
