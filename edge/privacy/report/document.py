"""What a report is made of, whatever it is shown as: sections of paragraphs, lists, tables and gaps. Pure.

A text may have names of settings and files between backticks; nothing else in it is markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SECTION_LEVELS_MAX: Final = 3
"""A deeper heading is not found again."""


class Part(BaseModel):
    """Base of a report's parts: nothing unknown, nothing changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gap(Part):
    """What only the controller can say. `text`: the question, as a noun phrase."""

    kind: Literal["gap"] = "gap"
    text: Annotated[str, Field(min_length=1)]


class Paragraph(Part):
    """Running text."""

    kind: Literal["paragraph"] = "paragraph"
    text: Annotated[str, Field(min_length=1)]


class Listing(Part):
    """Items of which the order does not matter."""

    kind: Literal["list"] = "list"
    items: Annotated[tuple[str | Gap, ...], Field(min_length=1)]


Cell = str | Gap
"""Of a table. A new line in a text begins a new line in the cell."""


class Table(Part):
    """Rows under headings; the first cell of a row is what the row is about. `widths`: relative, of the columns."""

    kind: Literal["table"] = "table"
    caption: Annotated[str, Field(min_length=1)]
    columns: Annotated[tuple[str, ...], Field(min_length=2)]
    widths: tuple[int, ...]
    rows: Annotated[tuple[tuple[Cell, ...], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_a_rectangle(self) -> Table:
        if {len(row) for row in self.rows} | {len(self.widths)} != {len(self.columns)}:
            raise ValueError("a row has more or fewer cells than there are columns")
        return self


Block = Annotated[Paragraph | Gap | Listing | Table, Field(discriminator="kind")]


class Section(Part):
    """A heading with what stands under it. `id`: its address within the document."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Annotated[str, Field(min_length=1)]
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


class Document(Part):
    """A whole report. `front`: its first page, as label and value; `facts_sha256`: of what it was made from.

    `standing`: what it is good for, in a few words on every page; `notice`: the same in a sentence or two.
    `short`: no list of contents, and sections follow each other on a page.
    """

    title: str
    subject: str
    language: Literal["en"] = "en"
    made_on: str
    facts_sha256: str
    front: tuple[tuple[str, str], ...]
    standing: str = "Draft: have counsel confirm"
    notice: str
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
    short: bool = False

    @model_validator(mode="after")
    def _can_be_found_again(self) -> Document:
        ids = [section.id for section, _ in walk(self.sections)]
        if len(set(ids)) != len(ids):
            raise ValueError("two sections have one address")
        if any(level > SECTION_LEVELS_MAX for _, level in walk(self.sections)):
            raise ValueError("a section is too deep")
        return self


def walk(sections: tuple[Section, ...], level: int = 1) -> Iterator[tuple[Section, int]]:
    """Every section with its level, in the order of reading."""
    for section in sections:
        yield section, level
        yield from walk(section.sections, level + 1)


def gaps_in(section: Section) -> int:
    """How much the controller has still to say in a section, and in those below it."""
    return sum(len([*_gaps(found)]) for found, _ in walk((section,)))


def _gaps(section: Section) -> Iterator[Gap]:
    for block in section.blocks:
        if isinstance(block, Gap):
            yield block
        elif isinstance(block, Listing):
            yield from (item for item in block.items if isinstance(item, Gap))
        elif isinstance(block, Table):
            yield from (cell for row in block.rows for cell in row if isinstance(cell, Gap))
