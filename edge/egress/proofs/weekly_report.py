"""The weekly egress report for whoever answers for data protection: an export of the ledger, checked and put in words.

It says what the verifier found and nothing of its own; a record that is not whole says nothing but what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from core.errors import ConfigError
from edge.egress import verify
from edge.egress.exits import CLAIM, EXITS
from edge.privacy.report.document import Block, Document, Listing, Paragraph, Section, Table

_REMEDY = "Name an export of the ledger, and keys as you were told them."
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_STANDING = "Made from a record that outsiders can check"
_NOTICE = f"The record claims to be {CLAIM}, and no more. Whoever has the export can check this report."
_ROWS_MAX = 1_000
"""Of a table: what is more is counted, so that a page stays one."""


def days_of(week: str) -> tuple[date, date]:
    """Monday and Sunday of a week by ISO 8601, "2026-W48". Raises ConfigError."""
    found = _WEEK.fullmatch(week)
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        monday = None
    if monday is None:
        raise ConfigError(f"{week!r} is not a week.", remedy="Write it as 2026-W48 (ISO 8601).")
    return monday, monday + timedelta(days=6)


def told_of(
    export: str, week: str, log_key: str | None = None, witnesses: Iterable[str] = ()
) -> dict[str, Any]:
    """What the verifier says of that week. Raises ConfigError: no export there, or no key."""
    monday, sunday = days_of(week)
    try:
        question = verify.ask(log_key, witnesses, first_day=monday.isoformat(), last_day=sunday.isoformat())
        return verify.document(verify.examine(export, question))
    except (verify.Usage, verify.Wrong) as error:
        raise ConfigError(f"{error}", remedy=_REMEDY) from None


def weekly(told: dict[str, Any], week: str, made_on: date) -> Document:
    """The report. `told`: of `told_of`."""
    monday, sunday = days_of(week)
    facts = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return Document(
        title=f"Egress report, week {week}",
        subject=told["origin"] or "unknown ledger",
        made_on=made_on.isoformat(),
        facts_sha256=hashlib.sha256(facts).hexdigest(),
        front=(
            ("Finding", _finding(told)),
            ("Days (UTC)", f"{monday} to {sunday}"),
            ("Entries of the record", f"{told['entries']:,}"),
            ("Root", f"`{told['root']}`" if told["root"] else "none"),
            ("Key of the record", f"`{told['log_key']}`" if told["log_key"] else "none"),
            (
                "Key compared",
                "with the one that was given" if told["log_key_given"] else "no: taken from the record",
            ),
            ("Witnesses compared", ", ".join(one["name"] for one in told["cosigned"]) or "none"),
        ),
        standing=_STANDING if told["whole"] else "Nothing of this record can be relied on",
        notice=_NOTICE
        if told["whole"]
        else "So nothing that it says is told here. Keep the export: it is evidence.",
        sections=tuple(_sections(told)),
        short=True,
    )


def _finding(told: dict[str, Any]) -> str:
    if not told["whole"]:
        return "WRONG: the record is not what it should be"
    if told["explained"]:
        return "whole, and all is explained"
    if told["discrepancies_count"] or told["set_back_count"] or told["clock_wrong_count"]:
        return "whole, and NOT all is explained"
    if not told["in_record"]:
        return "whole, but it has nothing of this week"
    if not told["compared"]["count"]:
        return "whole, but nobody compared this week with the kernel's counters"
    return "whole, but not all of this week was compared with the kernel's counters"


def _sections(told: dict[str, Any]) -> Iterable[Section]:
    if not told["whole"]:
        yield Section(
            id="wrong", title="What is wrong", blocks=_listed(told["problems"], "Nothing was found.")
        )
        return
    yield Section(id="left", title="What left", blocks=_left(told))
    yield Section(id="compared", title="Compared with the kernel's counters", blocks=_compared(told))
    yield Section(id="claimed", title="What this shows", blocks=_listed(told["claimed"], "Nothing."))
    yield Section(
        id="not-claimed", title="What it does not show", blocks=_listed(told["not_claimed"], "Nothing.")
    )
    yield Section(id="exits", title="Every exit of the node", blocks=_exits())


def _listed(items: list[str], none: str) -> tuple[Block, ...]:
    return (Listing(items=tuple(items)),) if items else (Paragraph(text=none),)


def _left(told: dict[str, Any]) -> tuple[Block, ...]:
    if not told["in_record"]:
        times = f"it begins at {verify.moment(told['first_ms'])} and ends at {verify.moment(told['last_ms'])}"
        return (Paragraph(text=f"The record has nothing of this week, so it does not say: {times}."),)
    groups = told["left"]
    envelopes = [one for one in groups if one["kind"] != verify.CONNECTIONS]
    texts = [one for one in envelopes if one["policy"]]
    blocks: list[Block] = [
        Paragraph(
            text=f"{_sum(envelopes, 'bytes'):,} bytes in {_sum(envelopes, 'envelopes'):,} envelopes. "
            f"Texts among them: {_sum(texts, 'bytes'):,} bytes in {_sum(texts, 'envelopes'):,}."
        )
    ]
    if uncertain := _sum(envelopes, "uncertain"):
        blocks.append(
            Paragraph(
                text=f"Of {uncertain:,} it is not known how much left: up to "
                f"{_sum(envelopes, 'bytes_perhaps'):,} bytes more."
            )
        )
    if groups:
        blocks.append(
            Table(
                caption="By destination and kind",
                columns=("Destination", "Kind", "Times", "Bytes", "Passed as", "Policy"),
                widths=(27, 17, 15, 11, 11, 19),
                rows=tuple(_row(one) for one in groups[:_ROWS_MAX]),
            )
        )
    if (more := len(groups) - _ROWS_MAX) > 0:
        blocks.append(Paragraph(text=f"And {more:,} more rows, which the export has."))
    return tuple(blocks)


def _sum(groups: list[dict[str, Any]], counter: str) -> int:
    return sum(one[counter] for one in groups)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    times = [f"{one['envelopes']:,}"]
    times += [f"{one['not_sent']:,} of them not sent"] if one["not_sent"] else []
    times += [f"of {one['uncertain']:,} the end is not known"] if one["uncertain"] else []
    return (
        one["destination"],
        f"`{one['kind']}`",
        "\n".join(times),
        f"{one['bytes']:,}",
        one["verdict"] or "own frames",
        f"`{one['policy']}`" if one["policy"] else "none: no text",
    )


def _compared(told: dict[str, Any]) -> tuple[Block, ...]:
    sums = told["compared"]
    if not sums["count"]:
        return (Paragraph(text="Nobody compared the record with the kernel's counters in this week."),)
    rows = (
        ("Counted by the kernel", f"{sums['kernel_bytes']:,} bytes"),
        ("Headers of IP and TCP among it", f"{sums['header_bytes']:,} bytes"),
        ("In the record", f"{sums['ledger_bytes']:,} bytes"),
        ("Framing, within its stated bound", f"{sums['framing_bytes']:,} bytes"),
        ("Not explained", f"{sums['unexplained_bytes']:,} bytes"),
        ("Tried, and refused by the kernel (of any user)", f"{sums['other_bytes']:,} bytes"),
        ("Sent by other users of the machine, or forwarded", f"{sums['others_sent_bytes']:,} bytes"),
        ("Sent by the node in the site's own network", f"{sums['lan_bytes']:,} bytes"),
        ("Times with something unexplained", f"{told['discrepancies_count']:,}"),
        ("Times that were not compared", f"{told['gaps_count']:,}"),
        ("Times that the clock was set back", f"{told['set_back_count']:,}"),
        ("Entries whose time is wrong by what witnesses saw", f"{told['clock_wrong_count']:,}"),
        ("Announced and not closed", f"{told['open']:,}"),
    )
    caption = f"{verify.moment(sums['from_ms'])} to {verify.moment(sums['to_ms'])}"
    table = Table(caption=caption, columns=("What", "How much"), widths=(60, 40), rows=rows)
    times = tuple(
        (
            f"{verify.moment(one['from_ms'])} to {verify.moment(one['to_ms'])}",
            f"{one['unexplained_bytes']:,} bytes",
            f"{one['kernel_bytes']:,} bytes",
            f"{one['other_bytes']:,} bytes",
        )
        for one in told["discrepancies"]
    )
    if not times:
        return (table,)
    columns = ("When", "Not explained", "Counted by the kernel", "Refused")
    unexplained = Table(
        caption="Times with something unexplained", columns=columns, widths=(46, 18, 18, 18), rows=times
    )
    return table, unexplained


def _exits() -> tuple[Block, ...]:
    rows = tuple(
        (
            one.name,
            str(one.opener),
            str(one.leads),
            str(one.carries),
            one.what,
            "yes" if one.claimed else "no",
        )
        for one in EXITS
    )
    table = Table(
        caption="What is in the claim, and what is outside it",
        columns=("Exit", "Opened by", "Leads to", "Carries at most", "What", "In the claim"),
        widths=(15, 13, 14, 12, 36, 10),
        rows=rows,
    )
    text = (
        "What a server of the site's network passes on, and what a person or a second machine carries out, "
        "is not in the record."
    )
    return Paragraph(text=text), table
