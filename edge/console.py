"""The site console put together: accounts, pages and the operations that they call.

Loaded by `edge.app` once customers are served; composition only, the rules are in `edge.web.console`.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import edge.web.console
from core.version import VERSION
from core.webshell.accounts import Accounts, Emergency
from core.webshell.pages import Pages
from core.webshell.shell import ShellSettings, WebShell
from edge import metrics
from edge.chat.session import boot_s
from edge.knowledge.dates import first_day, last_day
from edge.privacy.retention import said
from edge.store.operators import BREAK_GLASS
from edge.web.admin import Operation
from edge.web.console.accounts import OperatorAccounts
from edge.web.console.api_keys_page import ApiKeysPages
from edge.web.console.audit_page import AuditPages
from edge.web.console.calls import Calls
from edge.web.console.documents_pages import DocumentsPages
from edge.web.console.handles import Handles
from edge.web.console.inbox_pages import InboxPages
from edge.web.console.intents_pages import IntentsPages
from edge.web.console.jobs import Jobs
from edge.web.console.keeping_pages import KeepingPages
from edge.web.console.learning_pages import LearningPages
from edge.web.console.navigation import bar
from edge.web.console.oidc import ProviderClient
from edge.web.console.operators_page import OperatorsPages
from edge.web.console.overview import NodeFacts, OverviewPages
from edge.web.console.people_pages import PeoplePages
from edge.web.console.privacy_page import PrivacyPages
from edge.web.console.reports_page import ReportsPages
from edge.web.console.rules import PREFIX, RULES, may, path_of
from edge.web.console.sign_on import SignOnPages
from edge.web.console.site import Page, SiteConsole
from edge.web.console.unanswered_pages import UnansweredPages

if TYPE_CHECKING:
    from edge.app import Site

log = logging.getLogger(__name__)

HERE = Path(edge.web.console.__file__).parent


def console_accounts(site: Site) -> Accounts:
    """Who may log in at this site."""
    settings = site.config.console
    idle, life = timedelta(seconds=settings.idle_log_off_s), timedelta(minutes=settings.break_glass_minutes)
    return Accounts(OperatorAccounts(site.store, idle), _now, Emergency(BREAK_GLASS, life))


def open_console(
    site: Site,
    accounts: Accounts,
    operations: Mapping[str, Operation],
    not_ready: Callable[[], Sequence[str]],
) -> SiteConsole:
    """The console of `site`, ready to serve. `operations`: those of the command line, by name."""
    provider = _provider(site)
    shell = _shell(site, accounts, sign_on="/oidc" if provider else "")
    node = NodeFacts(site.paths.root, site.config.limits.turns_waiting_max, not_ready)
    calls, jobs = Calls(operations), Jobs()
    pages: dict[str, Page] = {action: handler for _, _, action, handler in _login_pages(shell)}
    for part in (
        OverviewPages(shell, site.store, operations["status"], node),
        AuditPages(shell, calls, said(site.config.retention.audit_days)),
        PeoplePages(shell, calls, Handles(boot_s)),
        KeepingPages(shell, calls, site.config.backup.warn_after_days),
        PrivacyPages(shell, calls),
        ReportsPages(shell, calls),
        ApiKeysPages(shell, calls),
        OperatorsPages(shell, site.store, accounts),
        InboxPages(shell, calls),
        SignOnPages(shell, site.store, accounts, provider, secure=site.config.console.behind_tls_proxy),
        UnansweredPages(shell, calls),
        IntentsPages(shell, calls, jobs, site.paths.intent_examples),
        LearningPages(shell, calls, jobs),
        DocumentsPages(shell, calls, jobs, site.store, site.paths),
    ):
        pages |= part.pages()
    return SiteConsole(shell, accounts, site.store, pages)


def _login_pages(shell: WebShell) -> list[tuple[str, str, str, Page]]:
    """The shell's own pages under the actions of their rules."""
    actions = {(rule.method, rule.path): rule.action for rule in RULES}
    return [(method, path, actions[method, path], handler) for method, path, handler in shell.routes()]


def _shell(site: Site, accounts: Accounts, *, sign_on: str) -> WebShell:
    settings = ShellSettings(
        product="Postern site console",
        organisation=site.config.site.name,
        place="this site's console",
        program="postern run",
        version=VERSION,
        secure=site.config.console.behind_tls_proxy,
        cookie="postern-console",
        open_paths=frozenset(PREFIX + rule.path for rule in RULES if rule.roles is None),
        behind_proxy=site.config.console.behind_tls_proxy,
        prefix=PREFIX,
        sign_on=sign_on,
        break_glass=True,
    )
    words = {
        "may": may,
        "path_of": path_of,
        "bar": bar,
        "site_folder": str(site.paths.root),
        "instant": _instant,
        "first_day": first_day,
        "last_day": last_day,
    }
    return WebShell(settings, accounts, Pages(HERE, "console", _now, shared="/static/core", words=words))


def _provider(site: Site) -> ProviderClient | None:
    """The organisation's login, where the site has one; files that cannot be read lock no local account out."""
    settings = site.config.console.oidc
    if not settings.issuer:
        return None
    try:
        secret = (
            settings.client_secret_file.read_text(encoding="utf-8") if settings.client_secret_file else ""
        )
        tls = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else None
    except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
        log.error("console.oidc: a file cannot be read", extra={"error": type(error).__name__})
        metrics.fall_back("console-oidc", "unreadable_file")
        return None
    return ProviderClient(settings, secret.strip(), tls)


def _instant(moment_ms: int) -> datetime:
    """A moment of the store, as templates say it."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC)


def _now() -> datetime:
    return datetime.now(UTC)
