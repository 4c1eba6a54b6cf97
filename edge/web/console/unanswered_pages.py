"""Unanswered questions: grouped, dismissed, or answered by a draft that somebody approves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.web.console.calls import Calls
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page

# Groups that one page shows, the most frequent first.
GROUPS_MAX = 100


class UnansweredPages:
    """Handlers of the unanswered questions."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {
            "unanswered.view": self.view,
            "unanswered.write": self.write,
            "unanswered.dismiss": self.dismiss,
            "unanswered.answer": self.answer,
        }

    async def view(self, request: web.Request) -> web.StreamResponse:
        groups = await self._calls("unanswered.list")
        context = {"groups": groups[:GROUPS_MAX], "of": len(groups)}
        return self._shell.render(request, "unanswered.html", **context)

    async def write(self, request: web.Request) -> web.StreamResponse:
        """The form for an answer to the group that the query names."""
        wanted = ids_of(request.query.get("ids", ""))
        groups = await self._calls("unanswered.list")
        group = next((one for one in groups if set(wanted) & set(one["ids"])), None)
        if group is None:
            raise web.HTTPSeeOther(f"{PREFIX}/unanswered")
        return self._form(request, group["ids"], group["wordings"], group["question"])

    async def dismiss(self, request: web.Request) -> web.StreamResponse:
        ids, operator = ids_of(await field(request, "ids")), request[ACCOUNT].name
        await self._calls("unanswered.dismiss", ids=ids, operator=operator)
        raise web.HTTPSeeOther(f"{PREFIX}/unanswered")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The draft is written; next to its page, where it is looked at and approved."""
        ids, operator = ids_of(await field(request, "ids")), request[ACCOUNT].name
        texts: dict[str, Any] = {
            name: await field(request, name) for name in ("question", "answer", "audience")
        }
        try:
            found = await self._calls("unanswered.answer", ids=ids, operator=operator, **texts)
        except PosternError as error:
            return self._form(request, ids, [], texts["question"], texts["answer"], error)
        raise web.HTTPSeeOther(f"{PREFIX}/documents/one?{urlencode({'doc': found['doc']})}")

    def _form(
        self,
        request: web.Request,
        ids: list[int],
        wordings: list[str],
        question: str,
        answer: str = "",
        fault: PosternError | None = None,
    ) -> web.Response:
        context = {"ids": ids, "wordings": wordings, "question": question, "answer": answer, "fault": fault}
        return self._shell.render(request, "write_answer.html", fault.status if fault else 200, **context)


def ids_of(text: str) -> list[int]:
    """Numbers of questions, as forms carry them."""
    return [int(word) for word in text.split() if word.isdecimal() and len(word) < 19]
