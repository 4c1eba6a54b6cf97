"""What customers are shown when the node can look nothing up: prepared words of the site."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edge.config.section import Section

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class CardTextSection(Section):
    """The card in one language."""

    # When somebody is at the desk, as people say it.
    hours: str = Field(min_length=1, max_length=400)
    # Where to find them, or a number to call.
    handoff: str = Field(min_length=1, max_length=400)


class CardSection(Section):
    """The desk's card. Without texts it says, in English, that staff can help."""

    # By language (ISO 639). The page's language decides, then the site's, then the first one here.
    texts: dict[Language, CardTextSection] = Field(default={}, max_length=40)
    # Cards that are handed out a minute, at first in one burst. A card takes about 2 ms of the processor that answers
    # the others: 600 are a fiftieth of its time. Past it customers are told when to come back, as programs are at once.
    per_minute: int = Field(default=600, ge=1, le=100_000)
