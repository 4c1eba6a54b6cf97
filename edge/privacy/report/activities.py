"""Which table of the store belongs to which processing activity (GDPR Art. 30): every table to one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.privacy.report.facts import Facts, TableFacts
from edge.store.schema import Kind

PERSONAL: Final = frozenset({Kind.CONTENT, Kind.PSEUDONYM, Kind.BEHAVIOUR, Kind.REDACTED, Kind.STAFF})
"""Kinds that are, or may be, about a person."""

KINDS: Final = {
    Kind.CONTENT: "words of or for a customer, which may reveal anything, special categories (Art. 9) among them",
    Kind.PSEUDONYM: "an identifier that stands for a person",
    Kind.BEHAVIOUR: "what a pseudonymous person did, without words",
    Kind.REDACTED: "words of customers from which what was found personal was taken out, tied to nobody",
    Kind.STAFF: "which member of staff did what",
    Kind.SITE: "documents and settings of the site",
    Kind.OPERATIONS: "technical, about no person",
}


@dataclass(frozen=True)
class Activity:
    """One entry of the record. `people`: categories of data subjects, as far as a program can know."""

    id: str
    title: str
    purpose: str
    people: str
    people_wanted: str
    tables: tuple[str, ...]


ACTIVITIES: Final = (
    Activity(
        "answering",
        "Answering questions at the desk",
        "Answering questions of customers and of staff from the site's own documents; telling them first"
        " what they talk to; keeping proof of what they were told and agreed to.",
        "People who ask at the desk, and people whom they mention.",
        "which groups these are here (patients, account holders, applicants, visitors, employees, children)",
        ("subjects", "sessions", "turns", "citations", "feedback", "consents", "notices", "subject_keys"),
    ),
    Activity(
        "handing-on",
        "Handing text on under the policy",
        "Letting a language model on another machine write an answer, as far as the site's policy permits;"
        " keeping which token stands for which value; counting how much was handed on, so that limits hold"
        " and a receipt can be given.",
        "People who ask at the desk, and people whom they mention.",
        "whether any group is kept out (children, for instance)",
        ("pseudonyms", "text_uses", "lan_uses"),
    ),
    Activity(
        "staff-conversations",
        "Conversations with staff",
        "Letting a member of staff see to what the documents do not answer, and telling staff that somebody"
        " waits.",
        "People who ask for a member of staff; members of staff who answer.",
        "which departments answer",
        ("handoffs", "messages", "notifications"),
    ),
    Activity(
        "improving",
        "Improving answers",
        "Finding out what the documents do not answer, and learning from corrections.",
        "People who asked, no longer to be told apart as far as the detector found what is personal.",
        "whether the examples that staff add are looked through for what the detector missed, and how often",
        ("unanswered", "examples", "site_models"),
    ),
    Activity(
        "accounts",
        "Accounts of staff and programs, and who did what",
        "Letting in who may use the console and the interfaces, and being able to tell who saw, changed or"
        " was refused what.",
        "Members of staff; whoever is responsible for a program that has a key.",
        "whether a works council or staff representation was heard",
        ("operators", "operator_sessions", "api_keys", "audit"),
    ),
    Activity(
        "rights",
        "Rights of data subjects, and legal holds",
        "Proving that somebody's data were erased, so that no restored backup brings them back; keeping"
        " what the law asks to be kept.",
        "People who asked for erasure; people concerned by a legal hold.",
        "where requests of data subjects arrive, and who answers them within a month (Art. 12(3))",
        ("erasures", "holds", "backups"),
    ),
    Activity(
        "running",
        "Running the desk",
        "Documents that answers come from; counts by the hour and the day; the state of the node. It"
        " concerns no customer.",
        "None, but for what the site's own documents say of people.",
        "whether documents name people (members of staff, for instance), and on what basis",
        (
            "documents",
            "differences",
            "document_versions",
            "chunks",
            "vectors_before",
            "meta",
            "continuations",
            "intent_counts",
            "daily_counts",
            "counters",
            "outbox",
            "outbox_sizes",
            "desired",
            "updates",
        ),
    ),
)


def tables_of(facts: Facts, activity: Activity) -> list[TableFacts]:
    """Its tables, in the store's order."""
    return [table for table in facts.tables if table.name in activity.tables]


def unassigned(facts: Facts) -> list[str]:
    """Tables of no activity: a report of a newer store says so."""
    assigned = {name for activity in ACTIVITIES for name in activity.tables}
    return [table.name for table in facts.tables if table.name not in assigned]
