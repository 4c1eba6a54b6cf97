"""Documents: what is there, what is said of each, its passages and versions, files in, a test search with both legs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import IO, Any
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.web_request import FileField
from sqlite_utils import Database

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.config import SitePaths
from edge.knowledge import differences
from edge.knowledge.document import Audience, State
from edge.knowledge.uploads import received
from edge.store import audit
from edge.store.audit import Outcome
from edge.store.store import Store
from edge.web.admin import OnProgress, Progress
from edge.web.console.calls import Calls
from edge.web.console.jobs import Jobs
from edge.web.console.rules import PREFIX, UPLOAD_BYTES_MAX
from edge.web.console.site import Page

# Rows of the list that one page shows; the filter finds the others.
LISTED_MAX = 200
# Pairs of documents that differ, on one page; more than staff look through at a time.
PAIRS_MAX = 50
# Files of one upload; a folder of thousands is for the command line.
FILES_MAX = 50
SEARCH_RESULTS = 10
PIECE_BYTES = 64 * 1024
_METADATA = ("audience", "owner", "state", "valid_from", "valid_until")


class NoFile(PosternError):
    """The form came without a file."""

    code = "no_file"
    title = "No file was chosen"
    remedy = f"Choose 1 to {FILES_MAX} files, then send the form."
    status = 400


class TooLarge(PosternError):
    """A form of files is larger than the page takes."""

    code = "upload_too_large"
    title = "These files are too large to send at once"
    remedy = (
        f"Send at most {UPLOAD_BYTES_MAX // 2**20} MB at once; a large folder goes in by `postern kb add`."
    )
    status = 413


class DocumentsPages:
    """Handlers of the documents' pages."""

    def __init__(self, shell: WebShell, calls: Calls, jobs: Jobs, store: Store, paths: SitePaths) -> None:
        self._shell = shell
        self._calls = calls
        self._jobs = jobs
        self._store = store
        self._paths = paths

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "documents.view": self.view,
            "documents.show": self.show,
            "documents.search": self.search,
            "documents.differences": self.differences,
            "documents.upload": self.upload,
            "documents.set": self.set_metadata,
            "documents.remove": self.remove,
            "jobs.view": self.job,
            "jobs.refresh": self.job_live,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        return await self._list_page(request)

    async def show(self, request: web.Request) -> web.StreamResponse:
        return await self._document_page(request, request.query.get("doc", ""))

    async def search(self, request: web.Request) -> web.StreamResponse:
        text, staff = request.query.get("text", "").strip(), request.query.get("audience") == "staff"
        drafts = request.query.get("drafts") == "1"
        found, fault = [], None
        if text:
            audience = Audience.STAFF if staff else Audience.PUBLIC
            try:
                found = await self._calls(
                    "kb.search", text=text, k=SEARCH_RESULTS, audience=audience.value, drafts=drafts
                )
            except PosternError as error:
                fault = error
        context = {"text": text, "staff": staff, "drafts": drafts, "found": found, "fault": fault}
        return self._shell.render(request, "document_search.html", fault.status if fault else 200, **context)

    async def differences(self, request: web.Request) -> web.StreamResponse:
        """Documents that contradict each other, with what is said of each of them."""
        pairs = await self._calls("kb.differences")
        about = {one["doc"]: one for one in await self._calls("kb.list")} if pairs else {}
        context = {"pairs": pairs[:PAIRS_MAX], "of": len(pairs), "about": about}
        return self._shell.render(request, "differences.html", **context)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take the files; reading them in is work that the page looks at."""
        try:
            form = await request.post()
        except web.HTTPRequestEntityTooLarge:
            raise TooLarge from None
        files = [item for item in form.getall("file", []) if isinstance(item, FileField) and item.filename]
        wanted: dict[str, Any] = {name: str(form.get(name, "")) for name in _METADATA if form.get(name)}
        try:
            if not 1 <= len(files) <= FILES_MAX:
                raise NoFile
            actor = request[ACCOUNT].name
            job = self._jobs.start("upload", actor, partial(self._take_in, actor, files, wanted))
        except PosternError as error:
            return await self._list_page(request, error)
        raise web.HTTPSeeOther(f"{PREFIX}/jobs/{job.id}")

    async def set_metadata(self, request: web.Request) -> web.StreamResponse:
        document = await field(request, "doc")
        wanted: dict[str, Any] = {name: await field(request, name) for name in _METADATA}
        wanted |= {name: wanted[name] or "none" for name in ("valid_from", "valid_until")}
        try:
            await self._calls("kb.set", document=document, **wanted)
        except PosternError as error:
            if error.status == 404:
                raise
            return await self._document_page(request, document, error)
        raise web.HTTPSeeOther(_address(document))

    async def remove(self, request: web.Request) -> web.StreamResponse:
        document = await field(request, "doc")
        if await field(request, "sure") != "yes":
            raise web.HTTPSeeOther(_address(document))
        await self._calls("kb.remove", document=document)
        raise web.HTTPSeeOther(f"{PREFIX}/documents")

    async def job(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "job.html", job=self._jobs.get(request.match_info["job"]))

    async def job_live(self, request: web.Request) -> web.StreamResponse:
        return self._shell.render(request, "job_live.html", job=self._jobs.get(request.match_info["job"]))

    async def _take_in(
        self, actor: str, files: list[FileField], wanted: dict[str, Any], on_progress: OnProgress
    ) -> object:
        """One file after the other: what became of each. A file that cannot be read does not stop the others."""
        rows: list[dict[str, Any]] = []
        for number, file in enumerate(files):
            on_progress(Progress(number, len(files), file.filename))
            row = await self._take_in_one(file, wanted)
            rows.append(row)
            await self._store.write(partial(_write_down, actor=actor, row=row))
        on_progress(Progress(len(files), len(files), ""))
        return rows

    async def _take_in_one(self, file: FileField, wanted: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"name": file.filename, "doc": "", "reason": "", "outcome": "failed"}
        try:
            async with received(_pieces(file.file), self._paths.run) as path:
                report = await self._calls("kb.upload", file=path, name=file.filename, **wanted)
        except PosternError as error:
            return {**row, "reason": f"{error.detail} {error.remedy}"}
        finally:
            file.file.close()
        reason = "; ".join(failure["reason"] for failure in report["failed"])
        outcome = next((word for word in ("added", "updated", "unchanged") if report[word]), "failed")
        if outcome == "added" and report["version"] > 1:
            outcome = "replaced"
        return {**row, "doc": report["doc"], "reason": reason, "outcome": outcome}

    async def _list_page(self, request: web.Request, fault: PosternError | None = None) -> web.Response:
        every = await self._calls("kb.list")
        words, state = request.query.get("q", "").strip(), request.query.get("state", "")
        fitting = [document for document in every if _fits(document, words.lower(), state)]
        context = {
            "documents": fitting[:LISTED_MAX],
            "of": len(fitting),
            "every": len(every),
            "differing": await self._store.read(differences.count),
            "words": words,
            "state": state,
            "states": list(State),
            "fault": fault,
            "jobs": self._jobs.of("upload"),
            "files_max": FILES_MAX,
            "bytes_max": UPLOAD_BYTES_MAX,
        }
        return self._shell.render(request, "documents.html", fault.status if fault else 200, **context)

    async def _document_page(
        self, request: web.Request, document: str, fault: PosternError | None = None
    ) -> web.Response:
        first, version = request.query.get("first", ""), request.query.get("version", "")
        more: dict[str, Any] = {"version": int(version)} if version.isdecimal() else {}
        found = await self._calls(
            "kb.show", document=document, first=int(first) if first.isdecimal() else 0, **more
        )
        context = {"document": found, "fault": fault, "states": list(State), "address": _address}
        return self._shell.render(request, "document.html", fault.status if fault else 200, **context)


def _write_down(db: Database, *, actor: str, row: dict[str, Any]) -> None:
    outcome = Outcome.FAILED if row["reason"] else Outcome.DONE
    audit.append(db, actor, "documents.take-in", row["doc"] or row["name"], outcome)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def _fits(document: Any, words: str, state: str) -> bool:
    text = f"{document['doc']} {document['title']} {document['owner']}".lower()
    return words in text and state in ("", document["state"])


def _address(document: str) -> str:
    return f"{PREFIX}/documents/one?{urlencode({'doc': document})}"
