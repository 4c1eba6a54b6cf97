"""What an admin asks for: a published version, for whom, in which waves, with which gates. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import ConfigError, ExitCode

Kind = Literal["model", "knowledge", "policy", "software"]
# The forms that a node accepts (`edge.updates.wanted`).
NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION = r"^[0-9][0-9A-Za-z.+-]{0,31}$"
# A canary, some steps and the rest: more waves than this nobody watches.
WAVES_MAX = 12
GROUPS_MAX = 100
SELECTORS_MAX = 20
# A twentieth of the fleet sees a fault first; no step after it takes more than half of the fleet at once.
DEFAULT_WAVES = (5, 20, 60, 100)
# A working hour of customers, after every node of the wave has passed its own watch.
DEFAULT_SOAK_S = 3_600
# Nodes that are switched off over a weekend hold a wave up no longer than it takes a person to be told.
DEFAULT_PATIENCE_S = 3 * 86_400
DEFAULT_WATCH_S = 900
MONTH_S = 30 * 86_400

_SELECTOR = re.compile(
    r"(?P<not>!)?(?P<key>[a-z0-9][a-z0-9._-]{0,62})(?:(?P<op>!?=)(?P<value>[A-Za-z0-9._-]{0,63}))?"
)


class InvalidRollout(ConfigError):
    """What was asked for cannot be rolled out."""

    code = "invalid_rollout"
    title = "This rollout cannot be made"
    remedy = "Correct what is named and try again; `postern-cloud rollout plan` shows who would get what."
    status = 400
    exit_code = ExitCode.USAGE


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gates(_Values):
    """What must hold before the next wave begins, and when all of it stops."""

    # Of a wave's nodes, how many must have kept the new version.
    kept_min_percent: Annotated[int, Field(ge=1, le=100)] = 95
    # Of all nodes that were told, how many may fail or go back; one more stops the rollout.
    failed_max_percent: Annotated[int, Field(ge=0, le=100)] = 2
    # How long after that a wave is left alone before the next.
    soak_s: Annotated[int, Field(ge=0, le=MONTH_S)] = DEFAULT_SOAK_S
    # A wave that has not passed by then pauses the rollout, so that a person looks.
    patience_s: Annotated[int, Field(ge=1, le=MONTH_S)] = DEFAULT_PATIENCE_S


class Spec(_Values):
    """A rollout as asked for; kept as JSON."""

    kind: Kind
    name: Annotated[str, Field(pattern=NAME)]
    version: Annotated[str, Field(pattern=VERSION)]
    # Empty: every group, every label.
    groups: Annotated[tuple[str, ...], Field(max_length=GROUPS_MAX)] = ()
    labels: Annotated[tuple[str, ...], Field(max_length=SELECTORS_MAX)] = ()
    # Shares of the targeted nodes in percent, each including those before; the first is the canary.
    waves: Annotated[tuple[int, ...], Field(min_length=1, max_length=WAVES_MAX)] = DEFAULT_WAVES
    gates: Gates = Gates()
    # How long each node watches before it keeps.
    watch_s: Annotated[int, Field(ge=1, le=7 * 86_400)] = DEFAULT_WATCH_S
    # Not before this instant; None: at once.
    starts_at: AwareDatetime | None = None

    @property
    def target(self) -> str:
        """Path of the target in both repositories."""
        return f"{self.kind}/{self.name}/{self.version}"

    @field_validator("waves")
    @classmethod
    def _ascending_to_all(cls, waves: tuple[int, ...]) -> tuple[int, ...]:
        if waves[0] < 1 or waves[-1] != 100 or any(a >= b for a, b in pairwise(waves)):
            raise ValueError("waves are shares in percent that grow from at least 1 to 100")
        return waves

    @field_validator("labels")
    @classmethod
    def _selectors(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for text in labels:
            parse_selector(text)
        return labels


def parse_spec(values: Mapping[str, object]) -> Spec:
    """What an admin asks for. Raises InvalidRollout, naming the first field that is wrong."""
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "rollout"
        raise InvalidRollout(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from None


def parse_selector(text: str) -> tuple[str, str | None, bool]:
    """(key, value or None for any, whether it must hold) of `key`, `!key`, `key=value`, `key!=value`.

    Raises ValueError.
    """
    found = _SELECTOR.fullmatch(text)
    if found is None or (found["not"] and found["op"]):
        raise ValueError("a selector is key, !key, key=value or key!=value")
    return found["key"], found["value"], not (found["not"] or found["op"] == "!=")


def selected(selectors: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy every selector; a label that is absent satisfies `!=`."""
    for text in selectors:
        key, value, wanted = parse_selector(text)
        holds = key in labels and (value is None or labels[key] == value)
        if holds != wanted:
            return False
    return True


def due(spec: Spec, now: datetime) -> bool:
    """Whether its first wave may begin."""
    return spec.starts_at is None or now >= spec.starts_at
