"""`postern privacy`: arguments → one call. No logic."""

from __future__ import annotations

import asyncio
import sys

import typer

from edge.commands import erasure
from edge.commands.keeping import consents, retention
from edge.commands.people import privacy_export, privacy_subject
from edge.commands.policy import policy, privacy_preview
from edge.commands.report import privacy_report
from edge.commands.terminal import Site

privacy = typer.Typer(
    no_args_is_help=True, help="What is personal in texts, may leave, and is stored of people."
)
privacy.add_typer(policy, name="policy")
privacy.command("preview")(privacy_preview)
privacy.command("report")(privacy_report)
privacy.command("retention")(retention)
privacy.command("consents")(consents)
privacy.command("subject")(privacy_subject)
privacy.command("export")(privacy_export)
privacy.command("erase")(erasure.erase)
privacy.command("hold")(erasure.hold)
privacy.command("release")(erasure.release)
privacy.command("holds")(erasure.holds)
privacy.command("erasures")(erasure.erasures)
privacy.add_typer(erasure.receipt, name="receipt")


@privacy.command("scan")
def privacy_scan(site: Site) -> None:
    """JSON lines {"id","text"} on standard input become {"id","entities","label","redacted","complete"} on output."""
    from edge.commands.scan_lines import scan_lines
    from edge.config import load_config, site_paths

    paths = site_paths(site)
    load_config(paths)
    asyncio.run(scan_lines(paths, sys.stdin.buffer, sys.stdout.buffer))
