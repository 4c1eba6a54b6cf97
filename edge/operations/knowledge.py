"""The knowledge base for the command line and the console: operations `kb.*`, plain JSON in, plain JSON out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.knowledge import commands
from edge.knowledge.document import Audience, State
from edge.knowledge.files import NAME_CHARS_MAX
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import MetadataChange, first_moment, last_moment
from edge.knowledge.readers.faq import QUESTION_CHARS_MAX
from edge.knowledge.search import Mode
from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation, Progress

# Longest question of a test search, code points: as long as a customer's may be.
SEARCH_CHARS_MAX = 4_000
# Longest answer that is written in the console, code points: some ten pages; more is a document.
ANSWER_CHARS_MAX = 20_000
DocumentName = Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]


class _MetadataArguments(OperationArguments):
    """What to say of a document; what is left out stays as it is. Dates as people write them, or "none"."""

    audience: Audience | None = None
    owner: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    state: State | None = None

    def change(self) -> MetadataChange:
        """Raises BadMetadata."""
        return MetadataChange(
            self.audience,
            self.owner,
            self.state,
            None if self.valid_from is None else first_moment(self.valid_from),
            None if self.valid_until is None else last_moment(self.valid_until),
        )


class AddArguments(_MetadataArguments):
    """`postern kb add`; paths are absolute."""

    paths: tuple[Path, ...]
    mirror: bool = False


class UploadArguments(_MetadataArguments):
    """A file that came in through the console: where its bytes lie, and the name that it had."""

    file: Path
    name: DocumentName


class WriteArguments(_MetadataArguments):
    """`postern kb write`: a question that the documents do not answer, and its answer."""

    question: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARS_MAX)]
    answer: Annotated[str, Field(min_length=1, max_length=ANSWER_CHARS_MAX)]


class SetArguments(_MetadataArguments):
    """`postern kb set`."""

    document: DocumentName


class ShowArguments(OperationArguments):
    """`postern kb show`; without a version the present one."""

    document: DocumentName
    version: int | None = None
    first: Annotated[int, Field(ge=0)] = 0


class RemoveArguments(OperationArguments):
    """`postern kb remove`."""

    document: DocumentName


class SearchArguments(OperationArguments):
    """`postern kb search`: what `audience` would be answered from, and with `drafts` what is not approved yet."""

    text: Annotated[str, Field(max_length=SEARCH_CHARS_MAX)]
    k: int = 5
    mode: Mode = "hybrid"
    audience: Audience = Audience.PUBLIC
    drafts: bool = False


class ListArguments(OperationArguments):
    """`postern kb list`, `postern kb differences`."""


class KnowledgeOperations:
    """The operations, by name."""

    def __init__(self, base: KnowledgeBase) -> None:
        self._base = base

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "kb.add": self.add,
            "kb.differences": self.differences,
            "kb.list": self.list,
            "kb.remove": self.remove,
            "kb.search": self.search,
            "kb.set": self.set_metadata,
            "kb.show": self.show,
            "kb.upload": self.upload,
            "kb.write": self.write,
        }

    async def add(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Documents in; says per file what became of it."""
        wanted = read_arguments(AddArguments, arguments)
        return await commands.add(
            self._base,
            wanted.paths,
            wanted.change(),
            lambda step: on_progress(Progress(step.done, step.of, step.document)),
            mirror=wanted.mirror,
        )

    async def upload(self, arguments: Arguments, _: OnProgress) -> object:
        """One file in, under the name that it had where it came from."""
        wanted = read_arguments(UploadArguments, arguments)
        return await commands.upload(self._base, wanted.file, wanted.name, wanted.change())

    async def write(self, arguments: Arguments, _: OnProgress) -> object:
        """A question and its answer become a document; a draft, unless a state is given."""
        wanted = read_arguments(WriteArguments, arguments)
        return await commands.write(self._base, wanted.question, wanted.answer, wanted.change())

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """All documents."""
        read_arguments(ListArguments, arguments)
        return await commands.listing(self._base)

    async def differences(self, arguments: Arguments, _: OnProgress) -> object:
        """Documents that say different things about the same."""
        read_arguments(ListArguments, arguments)
        return await commands.differences(self._base)

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """One document: what is said of it, its versions, its passages."""
        wanted = read_arguments(ShowArguments, arguments)
        return await commands.show(self._base, wanted.document, wanted.version, wanted.first)

    async def set_metadata(self, arguments: Arguments, _: OnProgress) -> object:
        """What is said of a document, old and new."""
        wanted = read_arguments(SetArguments, arguments)
        return await commands.set_metadata(self._base, wanted.document, wanted.change())

    async def remove(self, arguments: Arguments, _: OnProgress) -> object:
        """A document out."""
        return await commands.remove(self._base, read_arguments(RemoveArguments, arguments).document)

    async def search(self, arguments: Arguments, _: OnProgress) -> object:
        """What retrieval finds, and where each leg has it."""
        wanted = read_arguments(SearchArguments, arguments)
        return await commands.search(
            self._base, wanted.text, wanted.k, wanted.mode, wanted.audience, drafts=wanted.drafts
        )
