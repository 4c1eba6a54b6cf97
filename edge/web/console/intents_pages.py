"""Intents: the site's examples, training as work that can be watched, versions with their figures, the way back."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from core.errors import PosternError
from core.files import write_atomic
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.chat.intents.editing import as_csv, with_intent
from edge.chat.intents.examples import (
    EXAMPLES_PER_INTENT_MIN,
    FILE_BYTES_MAX,
    BadExamples,
    Example,
    read_examples,
)
from edge.web.admin import OnProgress
from edge.web.console.calls import Calls
from edge.web.console.jobs import Jobs
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page

HERE = f"{PREFIX}/intents"


class IntentsPages:
    """Handlers of the intents' page. `file`: the site's table of examples."""

    def __init__(self, shell: WebShell, calls: Calls, jobs: Jobs, file: Path) -> None:
        self._shell = shell
        self._calls = calls
        self._jobs = jobs
        self._file = file
        # Two people who save at once change one after the other.
        self._editing = asyncio.Lock()

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "intents.view": self.view,
            "intents.edit": self.edit,
            "intents.upload": self.upload,
            "intents.train": self.train,
            "intents.activate": self.activate,
            "intents.roll-back": self.roll_back,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request)

    async def edit(self, request: web.Request) -> web.StreamResponse:
        """All examples of one intent, a line each; without any the intent is gone."""
        intent, text = await field(request, "intent"), await field(request, "texts")
        try:
            async with self._editing:
                examples = with_intent(await self._examples(), intent, text.splitlines())
                await self._keep(as_csv(examples))
        except PosternError as error:
            return await self._page(request, error, intent, text)
        raise web.HTTPSeeOther(HERE)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """A table that takes the place of the one before, once it is found good."""
        file = (await request.post()).get("file")
        try:
            if not isinstance(file, FileField) or not file.filename:
                raise BadExamples(
                    "No file was chosen.", remedy="Choose a CSV file with the columns text,intent."
                )
            data = await asyncio.to_thread(file.file.read, FILE_BYTES_MAX + 1)
            await asyncio.to_thread(read_examples, data)
            await self._keep(data)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(HERE)

    async def train(self, request: web.Request) -> web.StreamResponse:
        """Begin; the result serves unless it is worse than what serves."""
        try:
            job = self._jobs.start("train", request[ACCOUNT].name, self._train)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(f"{PREFIX}/jobs/{job.id}")

    async def activate(self, request: web.Request) -> web.StreamResponse:
        """A version that was kept serves, also when it was found worse: somebody says so."""
        version = await field(request, "version")
        if not version.isdecimal():
            raise web.HTTPSeeOther(HERE)
        return await self._changed(request, "intents.activate", version=int(version), accept=True)

    async def roll_back(self, request: web.Request) -> web.StreamResponse:
        return await self._changed(request, "intents.roll-back")

    async def _changed(self, request: web.Request, operation: str, **arguments: Any) -> web.StreamResponse:
        try:
            await self._calls(operation, **arguments)
        except PosternError as error:
            return await self._page(request, error)
        raise web.HTTPSeeOther(HERE)

    async def _train(self, on_progress: OnProgress) -> object:
        return await self._calls("intents.train", on_progress=on_progress, path=str(self._file))

    async def _examples(self) -> list[Example]:
        """What the table holds; nothing when there is none yet. Raises BadExamples."""
        if not self._file.exists():
            return []
        return read_examples(await asyncio.to_thread(self._file.read_bytes))

    async def _keep(self, data: bytes) -> None:
        await asyncio.to_thread(partial(write_atomic, self._file, data))

    async def _page(
        self, request: web.Request, fault: PosternError | None = None, intent: str = "", text: str = ""
    ) -> web.Response:
        examples: list[Example] = []
        try:
            examples = await self._examples()
        except BadExamples as error:
            fault = fault or error
        intent = intent or request.query.get("intent", "")
        kept = "\n".join(example.text for example in examples if example.intent == intent)
        context = {
            "counts": sorted(Counter(example.intent for example in examples).items()),
            "examples": len(examples),
            "intent": intent,
            "texts": text or kept,
            "least": EXAMPLES_PER_INTENT_MIN,
            "versions": await self._calls("intents.list"),
            "jobs": self._jobs.of("train"),
            "file": str(self._file),
            "fault": fault,
        }
        return self._shell.render(request, "intents.html", fault.status if fault else 200, **context)
