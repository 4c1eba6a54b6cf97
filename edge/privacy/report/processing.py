"""The record of processing (GDPR Art. 30(1)), and a processor's (Art. 30(2)), from the store's tags. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.privacy.policy import Purpose
from edge.privacy.report.activities import ACTIVITIES, KINDS, PERSONAL, Activity, tables_of, unassigned
from edge.privacy.report.document import Block, Cell, Gap, Paragraph, Section, Table
from edge.privacy.report.duties import measure
from edge.privacy.report.facts import Facts, TableFacts
from edge.privacy.report.safeguards import servers
from edge.privacy.report.wording import joined, number, text_may_go
from edge.store.schema import Kind

_ENTRY: Final = ("Item", "Entry")
_ENTRY_WIDTHS: Final = (26, 74)
_TIMES: Final = {"retention": "when", "order, retention": "when", "when, retention": "when"}
"""Tags that say what a moment is kept for, in words for somebody who does not know the tags."""


def record(facts: Facts) -> Section:
    """Who is responsible, then an entry for each activity, then what all of them share."""
    return Section(
        id="record",
        title="Record of processing activities (GDPR Art. 30)",
        blocks=(
            Paragraph(
                text="For a site that decides itself why and how it processes: a record under Art. 30(1)."
                " What is stored, for what and how long is read from the tags that every column of the store"
                " carries; without one no column can exist."
            ),
            _responsible(),
        ),
        sections=(
            *(_activity(facts, activity) for activity in ACTIVITIES),
            _recipients(facts),
            _transfers(facts),
            _of_a_processor(facts),
        ),
    )


def _responsible() -> Table:
    rows: tuple[tuple[Cell, ...], ...] = (
        ("Controller (Art. 30(1)(a))", Gap(text="name and contact details of the controller")),
        ("Joint controller", Gap(text="name, and the arrangement under Art. 26; or “none”")),
        ("Representative (Art. 27)", Gap(text="name; or “none”, for a controller in the Union")),
        ("Data protection officer", Gap(text="name and contact details (Art. 37 to 39)")),
    )
    return Table(caption="Responsible", columns=_ENTRY, widths=_ENTRY_WIDTHS, rows=rows)


def _activity(facts: Facts, activity: Activity) -> Section:
    tables = tables_of(facts, activity)
    rows: tuple[tuple[Cell, ...], ...] = (
        ("Purposes (Art. 30(1)(b))", activity.purpose),
        ("Lawful basis (Art. 6, and Art. 9(2) for special categories)", Gap(text="basis, with the reason")),
        ("Categories of data subjects (Art. 30(1)(c))", activity.people),
        ("… in this organisation", Gap(text=activity.people_wanted)),
        ("Categories of personal data (Art. 30(1)(c))", _categories(tables)),
        ("Recipients (Art. 30(1)(d))", _recipients_of(facts, activity)),
        ("Erasure (Art. 30(1)(f))", _periods(tables) + _ends(facts, activity)),
        ("Security (Art. 30(1)(g))", "See “Technical and organisational measures”."),
    )
    entry = Table(caption=f"Entry: {activity.title}", columns=_ENTRY, widths=_ENTRY_WIDTHS, rows=rows)
    return Section(
        id=f"record-{activity.id}", title=activity.title, blocks=(entry, *_stored(facts, activity, tables))
    )


def _categories(tables: list[TableFacts]) -> str:
    kinds = {column.kind for table in tables for column in table.columns} & PERSONAL
    return (
        "\n".join(f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}." for kind in Kind if kind in kinds) or "None."
    )


def _periods(tables: list[TableFacts]) -> str:
    """What holds for tables that have something personal, each rule once."""
    personal = [table for table in tables if any(column.kind in PERSONAL for column in table.columns)]
    told = dict.fromkeys(table.kept for table in personal)
    return "\n".join(f"{text[0].upper()}{text[1:]}." for text in told) or "No personal data."


def _ends(facts: Facts, activity: Activity) -> str:
    """When that is, for what goes with a conversation or a ticket."""
    measures = {"answering": "wiping", "handing-on": "wiping", "staff-conversations": "tickets"}
    return f"\n{measure(measures[activity.id]).how(facts)}" if activity.id in measures else ""


def _stored(facts: Facts, activity: Activity, tables: list[TableFacts]) -> Iterator[Block]:
    """The tables with what they hold, a row for each; then what has no tag that is known here."""
    rows = tuple((f"`{table.name}`", _holds(table), table.kept, number(table.rows)) for table in tables)
    columns, widths = ("Table", "Holds", "Kept", "Rows now"), (18, 50, 22, 10)
    if rows:
        yield Table(caption=f"Stored: {activity.title}", columns=columns, widths=widths, rows=rows)
    if activity.id == "running" and (names := unassigned(facts)):
        yield Gap(text=f"to which activity these tables belong: {', '.join(names)}")


def _holds(table: TableFacts) -> str:
    """What is personal in it, or else what it is for."""
    personal = [column.purpose for column in table.columns if column.kind in PERSONAL]
    told = personal or [column.purpose for column in table.columns]
    return "; ".join(dict.fromkeys(_TIMES.get(purpose, purpose) for purpose in told))


def _recipients_of(facts: Facts, activity: Activity) -> str:
    """Inside the site, then outside the machine."""
    others = facts.others
    match activity.id:
        case "answering":
            programs = (
                " The site's own programs that have a key, for the conversations that they begin."
                if others.programs
                else ""
            )
            return (
                "The person who asks. Of the staff only the role data protection, to answer a request of"
                f" that person (export), which is a row of audit.{programs}"
            )
        case "handing-on":
            return _writers(facts)
        case "staff-conversations":
            told = [host for host in (others.mail, others.webhook) if host]
            also = (
                f" {joined(told).capitalize()} learn of a ticket's number and time, without words."
                if told
                else ""
            )
            return f"Staff with the role desk ({facts.staff.desk} now).{also}"
        case "improving":
            return f"Staff with the role desk ({facts.staff.desk} now)."
        case "accounts":
            return (
                f"Staff with the roles data protection ({facts.staff.data_protection} now) and technician"
                f" ({facts.staff.technicians} now)."
            )
        case "rights":
            return f"Staff with the role data protection ({facts.staff.data_protection} now)."
        case _:
            return _control_plane(facts)


def _writers(facts: Facts) -> str:
    """Whose language models get texts."""
    others = facts.others
    told = [
        *(
            [f"the language model server at {others.llm_server}"]
            if text_may_go(facts, Purpose.LAN_LLM)
            else []
        ),
        *([f"the control plane at {others.control_plane}"] if text_may_go(facts, Purpose.OVERFLOW) else []),
    ]
    if not told:
        return "None: no text is handed on at this site as it is configured."
    who = joined(told)
    return f"{who[0].upper()}{who[1:]}, as far as the policy permits."


def _control_plane(facts: Facts) -> str:
    if not facts.others.control_plane:
        return "None: the site is enrolled at no control plane."
    texts = (
        "; texts that its language model is to answer, as far as the policy permits, which it does not keep"
        if text_may_go(facts, Purpose.OVERFLOW)
        else ", no words and no rows about anybody"
    )
    return f"The control plane at {facts.others.control_plane}: counts and technical facts{texts}."


def _recipients(facts: Facts) -> Section:
    rows: list[tuple[Cell, ...]] = [
        ("Control plane", _control_plane(facts), Gap(text="who operates it, and under which contract"))
        if facts.others.control_plane
        else ("Control plane", _control_plane(facts), "Not applicable.")
    ]
    for server in servers(facts):
        rows.append(
            (
                server[0].upper() + server[1:],
                _gets(server),
                Gap(text="who operates it; contract under Art. 28, if not the controller"),
            )
        )
    if facts.others.programs:
        rows.append(
            (
                f"Programs with a key ({facts.others.programs})",
                _programs(facts),
                Gap(text="which programs, and who is responsible for each"),
            )
        )
    columns, widths = ("Recipient", "What it gets", "Who it is"), (26, 44, 30)
    table = Table(caption="Recipients outside the node", columns=columns, widths=widths, rows=tuple(rows))
    return Section(id="record-recipients", title="Recipients (Art. 30(1)(d))", blocks=(table,))


def _gets(server: str) -> str:
    """By its beginning: what kind of server it is."""
    if server.startswith("a language model"):
        return (
            "Questions with the passages that may answer them, as far as the policy permits (see “Policy in"
            " force”)."
        )
    if server.startswith("a login"):
        return "That a member of staff logs in. Nothing about customers."
    if server.startswith("an MQTT"):
        return "Whether a kiosk is present. Nothing about customers."
    return "Number and time of a ticket, name of the site, address of the console. No words of customers."


def _programs(facts: Facts) -> str:
    without = facts.others.programs_without_notice
    told = (
        "All are bound to the notice that is shown today."
        if not without
        else (f"{without} of them not bound to the notice that is shown today.")
    )
    return f"Answers to the questions that they ask. {told}"


def _transfers(facts: Facts) -> Section:
    if facts.others.control_plane:
        texts = (
            " Texts go there as well when nobody at the site can answer in time, as far as the policy permits, with"
            " marks in the place of personal values where it says so; the providers of language models behind the"
            " control plane get them, too."
            if text_may_go(facts, Purpose.OVERFLOW)
            else ""
        )
        blocks: tuple[Block, ...] = (
            Paragraph(
                text=f"Counts and technical facts about the machine go to {facts.others.control_plane}. They"
                f" hold no identifier of a customer and no words, and cells below five have no value.{texts}"
            ),
            Gap(
                text="country of the control plane; if it is outside the Union: adequacy decision (Art. 45)"
                " or safeguards (Art. 46), or why nothing that is sent is personal data"
            ),
        )
    else:
        blocks = (
            Paragraph(
                text="By the software: none. The site is enrolled at no control plane, and every other"
                " server that the node calls must have a private address of the site's own network."
            ),
        )
    servers_gap = Gap(
        text="whether a server of the site's network, named above, forwards what it gets to a third country"
    )
    return Section(
        id="record-transfers",
        title="Transfers to third countries (Art. 30(1)(e), 44 to 49)",
        blocks=(*blocks, *([servers_gap] if servers(facts) else [])),
    )


def _of_a_processor(facts: Facts) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = (
        (
            "Processor and controllers (Art. 30(2)(a))",
            Gap(text="names and contact details; data protection officers"),
        ),
        (
            "Categories of processing (Art. 30(2)(b))",
            "Running the desk on behalf of each controller: "
            + "; ".join(activity.title.lower() for activity in ACTIVITIES)
            + ".",
        ),
        ("Transfers (Art. 30(2)(c))", "As in “Transfers to third countries” above."),
        ("Security (Art. 30(2)(d))", "As in “Technical and organisational measures”."),
    )
    return Section(
        id="record-processor",
        title="Record of a processor (Art. 30(2))",
        blocks=(
            Paragraph(
                text="Only where this site is run on behalf of another organisation; else strike this"
                " section."
            ),
            Table(caption="Processor's record", columns=_ENTRY, widths=_ENTRY_WIDTHS, rows=rows),
        ),
    )
