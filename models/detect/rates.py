"""How often the detector misses a personal value, by language and type: what a policy's tolerance is held against.

The figures are a file that the bench of the detector writes. Pure but for reading it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import PosternError
from models.detect.entity_types import ENTITY_TYPES

SHIPPED: Final = "rates.toml"

INDISPENSABLE: Final = "PERSON"
"""A language in which no names were measured counts as not measured, however well it finds what has a checksum."""

ALONE: Final = {INDISPENSABLE: "names", "ADDRESS": "addresses"}
"""Judged each on its own, under which name: what says who somebody is, and what no checksum helps to find."""

REST: Final = "all the rest"

SAMPLES_MIN: Final = 10
"""Of nine values none of which was missed the interval ends at 30 %: fewer say nothing of a language."""

Z_95: Final = 1.959964
"""Quantile of the normal distribution for an interval of 95 %."""

Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class RatesUnreadable(PosternError):
    """The measured miss rates are missing or damaged."""

    code = "rates_unreadable"
    title = "The detector's measured miss rates cannot be read"
    remedy = "Install the software again; until then no text leaves the site."


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Rate(_Strict):
    """Of `of` values that were there `missed` were not found."""

    missed: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _no_more_than_all(self) -> Rate:
        if self.missed > self.of:
            raise ValueError("missed is more than there were")
        return self

    @property
    def share(self) -> float:
        """The measured miss rate, 0 to 1."""
        return self.missed / self.of

    @property
    def at_most(self) -> float:
        """Upper end of the 95 % interval of the miss rate (Wilson 1927): few samples count as a high rate."""
        n, p, square = self.of, self.share, Z_95**2
        middle = p + square / (2 * n)
        spread = Z_95 * math.sqrt(p * (1 - p) / n + square / (4 * n * n))
        return (middle + spread) / (1 + square / n)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a language, by what is judged on its own. What is found worst counts: a detector that never
    misses an email address is no good where it misses names."""

    groups: Mapping[str, Rate]

    @property
    def worst(self) -> tuple[str, Rate]:
        """What has the highest upper end, and its rate."""
        return max(self.groups.items(), key=lambda group: group[1].at_most)

    @property
    def at_most(self) -> float:
        """Its upper end, 0 to 1."""
        return self.worst[1].at_most


class Rates(_Strict):
    """All measured languages."""

    measured_on: date | None = None
    data: str = ""
    language: dict[Language, dict[str, Rate]] = {}

    @model_validator(mode="after")
    def _known_types(self) -> Rates:
        if any(types.keys() - ENTITY_TYPES for types in self.language.values()):
            raise ValueError("a type is not one of the contract's")
        return self

    def of(self, language: str | None) -> Measured | None:
        """Names, addresses, and all the rest together; None for a language that was not measured, or that could not be
        told. Addresses of which there were few count with the rest: their own interval would say nothing."""
        types: Mapping[str, Rate] = self.language.get(language or "", {})
        if INDISPENSABLE not in types or types[INDISPENSABLE].of < SAMPLES_MIN:
            return None
        alone = {name: types[name] for name in ALONE if name in types and types[name].of >= SAMPLES_MIN}
        rest = [rate for name, rate in types.items() if name not in alone]
        groups = {ALONE[name]: rate for name, rate in alone.items()}
        if rest:
            groups[REST] = Rate(missed=sum(rate.missed for rate in rest), of=sum(rate.of for rate in rest))
        return Measured(groups)


NOTHING_MEASURED: Final = Rates()


def parse(text: str) -> Rates:
    """Rates from TOML. Raises RatesUnreadable."""
    try:
        return Rates.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise RatesUnreadable(f"The miss rates do not fit their form: {type(error).__name__}.") from None


def shipped() -> Rates:
    """Those of the detector that this release ships. Raises RatesUnreadable."""
    try:
        return parse(files("models.detect").joinpath(SHIPPED).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RatesUnreadable(f"The miss rates cannot be read: {type(error).__name__}.") from None
