"""The fixed local text for what was found: short, calm, what to do now. Ours, in every supported language; pure.

A step whose number the site has not given is left out; the emergency number always has one.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from edge.chat.routing import Route
from edge.chat.safety.kind import Kind

# Numbers of the emergency services by country (ISO 3166). Elsewhere 112, which mobile networks put through
# everywhere (3GPP TS 22.101, 10.1).
EMERGENCY_PHONES: Mapping[str, str] = {
    "AU": "000",
    "BR": "192",
    "CA": "911",
    "GB": "999",
    "MX": "911",
    "NZ": "111",
    "US": "911",
}
EMERGENCY_PHONE = "112"


@dataclass(frozen=True, slots=True)
class SafetyCard:
    """What the customer sees instead of an answer. `phone`: the number to call, if there is one."""

    kind: Kind
    language: str
    title: str
    text: str
    steps: tuple[str, ...]
    phone: str | None

    @property
    def route(self) -> Route:
        """Which way the turn takes."""
        return self.kind.route

    @property
    def answer(self) -> str:
        """The card as one text, for whoever does not show cards."""
        return "\n".join(part for part in (self.title, self.text, *self.steps) if part)

    def body(self) -> dict[str, object]:
        """The field `card` of a turn's answer."""
        return {
            "kind": self.kind,
            "language": self.language,
            "title": self.title,
            "text": self.text,
            "steps": list(self.steps),
            "phone": self.phone,
        }


@dataclass(frozen=True, slots=True)
class Phones:
    """The numbers that cards name."""

    emergency: str
    crisis: str | None = None
    card: str | None = None

    def of(self, kind: Kind) -> str | None:
        """The number to call first."""
        match kind:
            case Kind.EMERGENCY | Kind.VIOLENCE:
                return self.emergency
            case Kind.SELF_HARM:
                return self.crisis or self.emergency
            case Kind.LOST_CARD:
                return self.card
            case _:
                return None


def emergency_phone(region: str) -> str:
    """The emergency number of the country `region`."""
    return EMERGENCY_PHONES.get(region, EMERGENCY_PHONE)


def cards_of(language: str, phones: Phones) -> dict[Kind, SafetyCard]:
    """All cards in `language`, with the site's numbers. Raises ValueError for a kind without a card."""
    path = files("edge.chat.safety") / "cards" / f"{language}.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    numbers = {"emergency": phones.emergency, "crisis": phones.crisis, "card": phones.card}
    if missing := set(Kind) - {Kind.SITE} - set(data):
        raise ValueError(f"{language}: no card for {', '.join(sorted(missing))}")
    return {
        Kind(kind): _card(Kind(kind), language, text, phones.of(Kind(kind)), numbers)
        for kind, text in data.items()
    }


def _card(
    kind: Kind,
    language: str,
    data: Mapping[str, object],
    phone: str | None,
    numbers: Mapping[str, str | None],
) -> SafetyCard:
    steps = data.get("steps", [])
    if not isinstance(steps, list):
        raise ValueError(f"{language}: the steps of {kind} are no list")
    return SafetyCard(
        kind=kind,
        language=language,
        title=str(data["title"]),
        text=str(data["text"]).format_map(numbers),
        steps=tuple(
            step.format_map(numbers) for step in steps if all(numbers[name] for name in _names(step))
        ),
        phone=phone,
    )


def _names(step: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(step) if name]
