"""What a page's address asks for: filters, order, page. Pure; what cannot be read asks for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from cloud_sync.store.audit import AuditFilter
from cloud_sync.store.node_search import BY_TROUBLE, SORTS, STATES_BY_TROUBLE, NodeFilter, NodeOrder

# As many as one scrolls through; a thousand would take the browser a second at each refresh.
NODES_A_PAGE = 50
# What one types into a filter; longer is no name.
TEXT_CHARACTERS_MAX = 100
PAGES_MAX = 100_000
_ROW_ID_DIGITS_MAX = 18


@dataclass(frozen=True)
class FleetQuery:
    """The fleet page's address."""

    text: str = ""
    state: str = ""
    group: str = ""
    label: str = ""
    sort: str = BY_TROUBLE
    """A column, or -column for the other way round."""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> FleetQuery:
        """From an address."""
        state, sort = given.get("state", ""), given.get("sort", "")
        return cls(
            text=_text(given, "text"),
            state=state if state in STATES_BY_TROUBLE else "",
            group=_text(given, "group"),
            label=_text(given, "label"),
            sort=sort if sort.removeprefix("-") in {BY_TROUBLE, *SORTS} else BY_TROUBLE,
            page=_number(given, "page", PAGES_MAX) or 1,
        )

    @property
    def filter(self) -> NodeFilter:
        """As the store takes it."""
        return NodeFilter(self.text, self.state, self.group, self.label)

    @property
    def order(self) -> NodeOrder:
        """As the store takes it."""
        column = self.sort.removeprefix("-")
        return NodeOrder(column, column != self.sort, (self.page - 1) * NODES_A_PAGE, NODES_A_PAGE)

    @property
    def filtered(self) -> bool:
        """Whether it leaves nodes out."""
        return any((self.text, self.state, self.group, self.label))

    def address(self, **changes: str | int) -> str:
        """The query of an address that asks for this with some changes; a change of anything else begins at page 1."""
        changed = asdict(self) | {"page": 1} | changes
        plain = FleetQuery()
        said = {name: value for name, value in changed.items() if value != getattr(plain, name)}
        return f"?{urlencode(said)}"

    def sorted_by(self, column: str) -> str:
        """The address of the same nodes by a column: up, and down when they are."""
        return self.address(sort=f"-{column}" if self.sort == column else column)

    def direction(self, column: str) -> str:
        """As aria-sort says it: ascending | descending | none."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort, "none")

    def pages(self, found: int) -> int:
        """How many pages so many nodes take; at least one."""
        return max(1, -(-found // NODES_A_PAGE))


@dataclass(frozen=True)
class AuditQuery:
    """The audit page's address. Days are UTC, and the last one is included."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    text: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> AuditQuery:
        """From an address; a day that is none is left out."""
        days = {name: given.get(name, "") for name in ("since", "until")}
        known = {name: value if _day(value) is not None else "" for name, value in days.items()}
        return cls(*(_text(given, name) for name in ("actor", "action", "subject", "text")), **known)

    @property
    def filter(self) -> AuditFilter:
        """As the store takes it."""
        since, until = _day(self.since), _day(self.until)
        after = None if until is None or until == date.max else until + timedelta(days=1)
        return AuditFilter(
            self.actor, self.action, self.subject, self.text, _midnight(since), _midnight(after)
        )

    def address(self, **more: str | int) -> str:
        """The query of an address that asks for this."""
        said = {name: value for name, value in asdict(self).items() if value}
        return f"?{urlencode(said | more)}"


def before_row(given: Mapping[str, str]) -> int | None:
    """Where a page of audit goes on; None: at the newest row."""
    return _number(given, "before", 10**_ROW_ID_DIGITS_MAX)


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").strip()[:TEXT_CHARACTERS_MAX]


def _number(given: Mapping[str, str], name: str, most: int) -> int | None:
    text = given.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= _ROW_ID_DIGITS_MAX):
        return None
    return min(int(text), most) or None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
