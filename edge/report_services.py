"""Part of the composition root: what a data protection report is made from."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edge.chat import languages
from edge.chat.notice import notice_of
from edge.operations.report import ReportOperations
from edge.web.admin import Operation

if TYPE_CHECKING:
    from edge.app import Site
    from edge.privacy.report.facts import Facts


def report_operations(site: Site, status: Callable[[], Mapping[str, object]]) -> dict[str, Operation]:
    """The command line's. `status`: what a running node adds to its status."""

    async def gather() -> Facts:
        # Loaded when it is asked for: a node that never makes a report does without.
        module = await asyncio.to_thread(importlib.import_module, "edge.report_facts")
        sources = module.Sources(
            config=site.config,
            paths=site.paths,
            store=site.store,
            policy_file=site.texts.file,
            policies=site.texts.policies,
            rates=site.texts.rates,
            notice=notice_of(site.config.site.name),
            encoder=site.encoder.info,
            languages=languages.covered(site.encoder.info.languages, site.knowledge.searcher.languages),
            documents=site.knowledge.searcher.documents,
            status=status(),
        )
        facts: Facts = await module.gather(sources)
        return facts

    return ReportOperations(gather).table()
