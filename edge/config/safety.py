"""What customers in danger are shown, and what an intent brings by itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from edge.config.section import Section

# A number that people dial: digits with the signs that make it readable.
Phone = Annotated[str, Field(pattern=r"^[+0-9][0-9 ()/.-]{1,30}$")]


class SafetyCardSection(Section):
    """One card of the site's own: what people say, and what they are shown at once."""

    phrases: tuple[Annotated[str, Field(min_length=3, max_length=120)], ...] = Field(
        min_length=1, max_length=50
    )
    title: str = Field(min_length=1, max_length=120)
    text: str = Field(default="", max_length=600)
    steps: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(default=(), max_length=6)
    phone: Phone | None = None


class SafetySection(Section):
    """What customers in danger are shown, before anything is searched."""

    # None: the number of the country `site.region`.
    emergency_phone: Phone | None = None
    crisis_phone: Phone | None = None
    card_phone: Phone | None = None
    # The site's own wording for questions that only a professional may answer; None: ours.
    diagnosis_text: str | None = Field(default=None, min_length=1, max_length=600)
    advice_text: str | None = Field(default=None, min_length=1, max_length=600)
    cards: tuple[SafetyCardSection, ...] = Field(default=(), max_length=50)


class IntentRule(Section):
    """What an intent brings by itself."""

    intent: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.?-]{0,63}$")
    # The site's standing answer, shown instead of one from the documents.
    answer: str | None = Field(default=None, min_length=1, max_length=1_000)
    # Where a ticket about it goes.
    queue: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")

    @model_validator(mode="after")
    def _does_something(self) -> IntentRule:
        if self.answer is None and self.queue is None:
            raise ValueError("a rule needs an answer, a queue or both")
        return self


class IntentsSection(Section):
    """What follows from what a customer wants, once intents are trained."""

    # Below it an intent brings nothing by itself. Confidence is calibrated: at .8, four of five are right.
    confidence_min: float = Field(default=0.8, ge=0.0, le=1.0)
    rules: tuple[IntentRule, ...] = Field(default=(), max_length=250)

    @field_validator("rules")
    @classmethod
    def _one_rule_each(cls, rules: tuple[IntentRule, ...]) -> tuple[IntentRule, ...]:
        if len({rule.intent for rule in rules}) != len(rules):
            raise ValueError("an intent has more than one rule")
        return rules
