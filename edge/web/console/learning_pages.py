"""Learning from corrections: what is right for a question, learning as work that can be watched, the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.web.admin import OnProgress
from edge.web.console.calls import Calls
from edge.web.console.jobs import Jobs
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page
from edge.web.console.unanswered_pages import ids_of

HERE = f"{PREFIX}/learning"
# Examples and versions that the page shows, newest first; `postern examples list` shows the others.
EXAMPLES_SHOWN = 100
VERSIONS_SHOWN = 12
# Documents that the field offers while one types; any other can be typed in full.
OFFERED_MAX = 1_000
JOB = "learn"
EMPTY = {"text": "", "document": "", "answers": "document", "ids": ""}


class LearningPages:
    """Handlers of the page about learning."""

    def __init__(self, shell: WebShell, calls: Calls, jobs: Jobs) -> None:
        self._shell = shell
        self._calls = calls
        self._jobs = jobs

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "learning.view": self.view,
            "learning.add": self.add,
            "learning.remove": self.remove,
            "learning.run": self.run,
            "learning.roll-back": self.roll_back,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request)

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Keep what is right for a question; the unanswered ones that it came from are settled by that."""
        text, answers = await field(request, "text"), await field(request, "answers")
        document, ids = (await field(request, "document")).strip(), await field(request, "ids")
        wanted: dict[str, Any] = {"unanswerable": True} if answers == "none" else {"document": document}
        try:
            await self._calls("examples.add", text=text, **wanted)
        except PosternError as error:
            kept = EMPTY | {"text": text, "document": document, "answers": answers, "ids": ids}
            return await self._page(request, error, kept)
        if settled := ids_of(ids):
            await self._calls("unanswered.dismiss", ids=settled, operator=request[ACCOUNT].name)
        raise web.HTTPSeeOther(f"{HERE}#examples-title")

    async def remove(self, request: web.Request) -> web.StreamResponse:
        example = await field(request, "example")
        if not example.isdecimal():
            raise web.HTTPSeeOther(HERE)
        return await self._changed(request, "examples.remove", id=int(example))

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Begin; what is better serves by itself."""
        try:
            job = self._jobs.start(JOB, request[ACCOUNT].name, self._learn)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(f"{PREFIX}/jobs/{job.id}")

    async def roll_back(self, request: web.Request) -> web.StreamResponse:
        return await self._changed(request, "learn.roll_back")

    async def _learn(self, on_progress: OnProgress) -> object:
        return await self._calls("learn.run", on_progress=on_progress)

    async def _changed(self, request: web.Request, operation: str, **arguments: Any) -> web.StreamResponse:
        try:
            await self._calls(operation, **arguments)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(HERE)

    async def _page(
        self, request: web.Request, fault: PosternError | None = None, form: dict[str, str] | None = None
    ) -> web.Response:
        versions = await self._calls("learn.history")
        documents = [one for one in await self._calls("kb.list") if one["state"] == "approved"]
        context = {
            "examples": await self._calls("examples.list", count=EXAMPLES_SHOWN),
            "shown_max": EXAMPLES_SHOWN,
            "versions": versions[:VERSIONS_SHOWN],
            "learnt": any(one["state"] == "active" for one in versions),
            "documents": documents[:OFFERED_MAX],
            "form": form or await self._begun(request),
            "jobs": self._jobs.of(JOB),
            "fault": fault,
        }
        return self._shell.render(request, "learning.html", fault.status if fault else 200, **context)

    async def _begun(self, request: web.Request) -> dict[str, str]:
        """What the form begins with: the unanswered questions or the ticket that the query names, else nothing."""
        if ticket := request.query.get("ticket", ""):
            found = await self._calls("inbox.show", ticket=ticket, operator=request[ACCOUNT].name)
            return EMPTY | {"text": asked_of(found["said"])}
        wanted = set(ids_of(request.query.get("ids", "")))
        groups = await self._calls("unanswered.list") if wanted else []
        for group in groups:
            if wanted & set(group["ids"]):
                return EMPTY | {"text": group["question"], "ids": " ".join(map(str, group["ids"]))}
        return EMPTY


def asked_of(said: Sequence[Mapping[str, Any]]) -> str:
    """The last thing that the customer wrote to the machine: what it answered wrongly, most likely. Pure."""
    answered = [
        one["text"]
        for one, following in pairwise(said)
        if (one["sender"], following["sender"]) == ("customer", "desk")
    ]
    return str(answered[-1]) if answered else ""
