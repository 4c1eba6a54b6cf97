"""The desk's card: opening hours and where staff are, in the site's own words. Pure; prepared at the start.

It needs neither encoder nor model nor store, and so it is what is left when one of them is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.config import CardSection
from edge.knowledge import languages

KIND: Final = "desk"
"""Of the field `card` of a turn's answer, beside those of `safety.kind`."""


@dataclass(frozen=True, slots=True)
class DeskCard:
    """One language's. `direction` of its writing: ltr or rtl."""

    language: str
    direction: str
    hours: str
    handoff: str

    @property
    def text(self) -> str:
        """The card as one text, for whoever does not show cards."""
        return "\n".join(part for part in (self.hours, self.handoff) if part)

    def body(self) -> dict[str, object]:
        """The field `card` of a turn's answer."""
        return {
            "kind": KIND,
            "language": self.language,
            "title": "",
            "text": self.hours,
            "steps": [self.handoff],
            "phone": None,
        }

    def shown(self) -> dict[str, str]:
        """How the page marks the text."""
        return {"code": self.language, "dir": self.direction}


OURS: Final = DeskCard("en", "ltr", "", "A member of staff can help you.")
"""Where the site has written none."""


class DeskCards:
    """The cards of a site. `locale` (BCP 47): the site's."""

    def __init__(self, section: CardSection, locale: str) -> None:
        self._cards: Mapping[str, DeskCard] = {
            code: DeskCard(code, _direction(code), text.hours, text.handoff)
            for code, text in section.texts.items()
        }
        first = next(iter(self._cards.values()), OURS)
        self._usual = self._cards.get(_language(locale), first)

    def of(self, locale: str) -> DeskCard:
        """The card for a page of that language."""
        return self._cards.get(_language(locale), self._usual)


def _language(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[0].lower()


def _direction(code: str) -> str:
    tongue = languages.tongues().get(code)
    return "rtl" if tongue is not None and tongue.rtl else "ltr"
