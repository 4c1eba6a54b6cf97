"""The page of the site's privacy policy: what it says, and a text tried under an edited one before that is signed.

A text that is tried is in the answer to the form, and nowhere else.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from core.errors import PosternError
from core.webshell.shell import ACCOUNT, WebShell, field
from edge.web.console.calls import Calls
from edge.web.console.rules import PREFIX
from edge.web.console.site import Page

HERE: Final = f"{PREFIX}/privacy"
SAMPLE: Final = "My name is Anna Miller, please ring me on +44 20 7946 0958. When are you open on Saturday?"
"""To begin with; of numbers that are reserved for fiction."""


class PrivacyPages:
    """Handlers of the page about the privacy policy."""

    def __init__(self, shell: WebShell, calls: Calls) -> None:
        self._shell = shell
        self._calls = calls

    def pages(self) -> dict[str, Page]:
        """Handlers by action."""
        return {"privacy.view": self.view, "privacy.try": self.try_out, "privacy.sign": self.sign}

    async def view(self, request: web.Request) -> web.StreamResponse:
        """What is in force; the form holds that, or one of the packs."""
        pack = request.query.get("pack") or None
        try:
            return await self._page(request, pack=pack)
        except PosternError as error:
            return await self._page(request, fault=error)

    async def try_out(self, request: web.Request) -> web.StreamResponse:
        """What would become of a text, and whether the policy permits more than the one in force."""
        policy, text = await _policy(request), await field(request, "text")
        try:
            tried = await self._calls("privacy.preview", text=text, policy=policy)
            tried["stricter"] = (await self._calls("privacy.policy.check", policy=policy))["stricter"]
        except PosternError as error:
            return await self._page(request, policy, text, fault=error)
        return await self._page(request, policy, text, tried=tried)

    async def sign(self, request: web.Request) -> web.StreamResponse:
        """Only with the tick: from then on the site goes by it."""
        policy, text = await _policy(request), await field(request, "text")
        if await field(request, "sure") != "yes":
            return await self._page(request, policy, text, unticked=True)
        try:
            await self._calls("privacy.policy.sign", policy=policy, actor=request[ACCOUNT].name)
        except PosternError as error:
            return await self._page(request, policy, text, fault=error)
        raise web.HTTPSeeOther(HERE)

    async def _page(
        self,
        request: web.Request,
        policy: str | None = None,
        text: str = SAMPLE,
        *,
        pack: str | None = None,
        tried: dict[str, Any] | None = None,
        fault: PosternError | None = None,
        unticked: bool = False,
    ) -> web.Response:
        shown = await self._calls("privacy.policy.show", pack=pack)
        context = {
            "shown": shown,
            "edited": shown["text"] if policy is None else policy,
            "text": text,
            "tried": tried,
            "fault": fault,
            "unticked": unticked,
        }
        return self._shell.render(request, "privacy.html", fault.status if fault else 200, **context)


async def _policy(request: web.Request) -> str:
    """Browsers send the lines of a form with CR LF."""
    return (await field(request, "policy")).replace("\r\n", "\n")
