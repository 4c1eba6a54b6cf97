"""A row of audit as a line that other programs read: RFC 5424 (syslog), or JSON. Pure.

Longest line of RFC 5424: LINE_BYTES_MAX, which every receiver of 2,048 bytes takes whole (RFC 5424, 6.1).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from core.version import VERSION
from edge.store.audit import AuditRow, Outcome
from edge.web.audit_rules import kind_of

LINE_BYTES_MAX: Final = 2048

FACILITY: Final = 13
"""Log audit (RFC 5424, table 1)."""

SEVERITIES: Final = {Outcome.BEGUN: 6, Outcome.DONE: 6, Outcome.REFUSED: 4, Outcome.FAILED: 3}
"""Informational, warning, error (RFC 5424, table 2)."""

ENTERPRISE: Final = 32473
"""The private enterprise number that is set aside for examples (RFC 5612): we have none of our own."""

HOSTNAME_CHARS_MAX: Final = 255
MSGID_CHARS_MAX: Final = 32
_BOM: Final = "\ufeff"
_ESCAPED: Final = re.compile(r'(["\\\]])')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_PRINTED: Final = re.compile(r"[^\x21-\x7e]")


class Format(StrEnum):
    """How rows leave."""

    RFC5424 = "rfc5424"
    JSON = "json"


def rfc5424(row: AuditRow, host: str, site: str) -> str:
    """A syslog message, without what frames it."""
    priority = FACILITY * 8 + SEVERITIES[Outcome(row.outcome)]
    named, action = _word(host, HOSTNAME_CHARS_MAX), _word(row.action, MSGID_CHARS_MAX)
    times = f", {row.count} times" if row.count > 1 else ""
    header = f"<{priority}>1 {_at(row)} {named} postern - {action}"
    fields = {"site": site, **_fields(row)}
    values = " ".join(f'{name}="{_value(str(value))}"' for name, value in fields.items())
    origin = f'[origin software="postern" swVersion="{VERSION}" enterpriseId="{ENTERPRISE}"]'
    said = _plain(f"{row.action}, {row.outcome}{times}")
    return f"{header} [postern@{ENTERPRISE} {values}]{origin} {_BOM}{said}"


def json_line(row: AuditRow) -> str:
    """One object; `at` is the moment in UTC."""
    return json.dumps({"at": _at(row), **_fields(row)}, ensure_ascii=False)


def _fields(row: AuditRow) -> dict[str, object]:
    kind = kind_of(row.action)
    return {
        "id": row.id,
        "actor": row.actor,
        "action": row.action,
        **({"kind": str(kind)} if kind else {}),
        "object": row.object,
        "outcome": row.outcome,
        "count": row.count,
    }


def _at(row: AuditRow) -> str:
    moment = datetime.fromtimestamp(row.at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{row.at_ms % 1000:03}Z"


def _value(text: str) -> str:
    """Of a parameter: three characters are escaped (6.3.3); a line stays one."""
    return _ESCAPED.sub(r"\\\1", _plain(text))


def _plain(text: str) -> str:
    """Without control characters, which show as # and three octal digits (8.2): nobody writes a line of their own."""
    return _CONTROL.sub(lambda found: f"#{ord(found[0]):03o}", text)


def _word(text: str, chars_max: int) -> str:
    """Printed ASCII, or nothing said."""
    return _NOT_PRINTED.sub("?", text)[:chars_max] or "-"
