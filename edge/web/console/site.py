"""The site console put together: each rule's handler, who may use it, and what is written down about it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from aiohttp import web

from core.errors import ExitCode, PosternError
from core.webshell.accounts import NO_BROWSER, Accounts
from core.webshell.shell import ACCOUNT, REFRESH, WebShell, field
from edge.store.audit import Outcome
from edge.store.store import Store
from edge.web.audit_log import UNKNOWN, AuditLog
from edge.web.audit_rules import is_refusal
from edge.web.console.rules import PREFIX, Rule

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Of tickets, jobs, operators, keys, documents, versions: without spaces, shorter than a sentence.
_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/@-]{1,64}")

# What happens from here on is written down by the page.
_LET_IN = web.RequestKey("let_in", bool)

SHOWN = web.RequestKey("shown", PosternError)
"""Why what was asked for came to nothing, where a page shows that."""


class NotPermitted(PosternError):
    """The operator's roles do not include this."""

    code = "not_permitted"
    title = "Your roles do not include this"
    remedy = "Ask a technician of the site for the role, if it is part of your work."
    status = 403
    exit_code = ExitCode.REFUSED


class SiteConsole:
    """`edge.web.console.door.Console` over handlers by the action of their rule."""

    def __init__(self, shell: WebShell, accounts: Accounts, store: Store, pages: Mapping[str, Page]) -> None:
        self._shell = shell
        self._accounts = accounts
        self._rows = AuditLog(store)
        self._pages = pages

    async def serve(self, rule: Rule | None, request: web.Request) -> web.StreamResponse:
        """A page, or what a form asks for; None for a path that no rule knows. A refusal is written down."""
        request[REFRESH] = rule is not None and rule.live
        response = await self._shell.serve(request, partial(self._permitted, rule))
        if rule is not None and response.status == NotPermitted.status and _LET_IN not in request:
            known = request.get(ACCOUNT)
            what = _identifier(await _subject(rule, request)) if known else ""
            await self._rows.refused(known.name if known else UNKNOWN, rule.action, what)
        return response

    async def staff(self, request: web.Request, token: str) -> bool:
        """Whether an operator asks: by a token, or by the login of the console's own pages."""
        account = await (
            self._accounts.account_of(token, NO_BROWSER) if token else self._shell.account_of(request)
        )
        if account is None:
            return False
        await self._rows.append(account.name, "sessions.staff", "", Outcome.DONE)
        return True

    async def _permitted(self, rule: Rule | None, request: web.Request) -> web.StreamResponse:
        if rule is None:
            raise web.HTTPNotFound
        page = self._pages[rule.action]
        if rule.roles is None:
            request[_LET_IN] = True
            return await page(request)
        account, subject = request[ACCOUNT], await _subject(rule, request)
        if not account.roles & rule.roles:
            if rule.live:
                # Its page was opened with a role that is gone: leave it, so that it does not ask for ever.
                return web.Response(status=NotPermitted.status, headers={"HX-Redirect": f"{PREFIX}/"})
            raise NotPermitted
        request[_LET_IN] = True
        if rule.method == "GET":
            if not (rule.live or rule.own_audit):
                await self._rows.append(account.name, rule.action, subject, Outcome.DONE)
            return await page(request)
        return await self._change(rule, request, account.name, subject)

    async def _change(self, rule: Rule, request: web.Request, actor: str, subject: str) -> web.StreamResponse:
        """A change is written down before it begins and when it is done, unless its handler does so in one step."""
        if not rule.own_audit:
            await self._rows.append(actor, rule.action, subject, Outcome.BEGUN)
        outcome, told = Outcome.FAILED, False
        try:
            response = await self._pages[rule.action](request)
            if response.status < 400:
                outcome = Outcome.DONE
            told = SHOWN in request and request[SHOWN].written_down
            return response
        except web.HTTPRedirection:  # where a form leads that was accepted
            outcome = Outcome.DONE
            raise
        except PosternError as error:
            if is_refusal(error):
                outcome = Outcome.REFUSED
            told = error.written_down
            raise
        finally:
            if not told and (outcome is not Outcome.DONE or not rule.own_audit):
                await self._rows.append(actor, rule.action, subject, outcome)


def _identifier(given: str) -> str:
    """What names something at a site; of all else nothing. Whoever is refused may have written anything there."""
    return given if _IDENTIFIER.fullmatch(given) else ""


async def _subject(rule: Rule, request: web.Request) -> str:
    """The identifier of what is seen or changed."""
    if not rule.named_by:
        return " ".join(request.match_info.values())
    if rule.method == "GET":
        return request.query.get(rule.named_by, "")
    return await field(request, rule.named_by)
