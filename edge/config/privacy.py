"""What personal means at this site beyond what it means everywhere: identifiers of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from edge.config.section import Section
from models.detect.site_patterns import (
    EXAMPLE_CHARS_MAX,
    EXAMPLES_MAX,
    IDENTIFIERS_MAX,
    PATTERN_CHARS_MAX,
    SiteIdentifier,
    SitePatterns,
)

Example = Annotated[str, Field(min_length=1, max_length=EXAMPLE_CHARS_MAX)]
Word = Annotated[str, Field(min_length=2, max_length=40)]


class IdentifierSection(Section):
    """An identifier of the site's own, by its pattern (RE2) or by examples that nobody has."""

    name: str = Field(min_length=1, max_length=60)
    # One of the contract's entity types.
    type: str
    pattern: str | None = Field(default=None, min_length=1, max_length=PATTERN_CHARS_MAX)
    examples: tuple[Example, ...] = Field(default=(), max_length=EXAMPLES_MAX)
    # With words a value counts only beside one of them.
    words: tuple[Word, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _can_be_used(self) -> IdentifierSection:
        SitePatterns([self.identifier])
        return self

    @property
    def identifier(self) -> SiteIdentifier:
        """The same for the detector."""
        return SiteIdentifier(self.name, self.type, self.pattern, self.examples, self.words)


class PrivacySection(Section):
    """What personal means at this site beyond what it means everywhere."""

    identifiers: tuple[IdentifierSection, ...] = Field(default=(), max_length=IDENTIFIERS_MAX)

    @field_validator("identifiers")
    @classmethod
    def _one_name_each(cls, identifiers: tuple[IdentifierSection, ...]) -> tuple[IdentifierSection, ...]:
        if len({identifier.name for identifier in identifiers}) != len(identifiers):
            raise ValueError("two identifiers have one name")
        return identifiers

    @property
    def site_patterns(self) -> SitePatterns:
        """The identifiers, compiled."""
        return SitePatterns(identifier.identifier for identifier in self.identifiers)
