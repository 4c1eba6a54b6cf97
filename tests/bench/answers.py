"""Are the answers right, and does the desk stop when it should? Golden questions to both sample sites.

Each site is made by `postern init` from its template and opened as the node opens it. Every question has a
conversation of its own, one after the other, so that a run repeats to the digit. It is asked twice: as written, and
rewritten by a rule (`rewriting.py`) that nobody tunes on.

    python -m tests.bench.answers --json
    python -m tests.bench.answers --site clinic --show     the failures on stderr; not for whoever tunes the answers
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.app import Site, open_site
from edge.chat.notice import notice_of
from edge.chat.session import Channel, Session
from edge.chat.turn import Final
from edge.config import SitePaths, site_paths
from edge.knowledge.document import Audience, Document
from edge.knowledge.readers import load, read_bytes
from edge.site_setup import documents_by_audience
from tests.bench import answer_judge, harness
from tests.bench.answer_judge import Outcome, Question, Reply, Verdict
from tests.bench.harness import Report, progress
from tests.bench.rewriting import rewrite

SITES = ("clinic", "bank")
AS_WRITTEN, REWRITTEN = "as_written", "rewritten"
# Documents embedded and intents trained: seconds on two idle cores.
INIT_LIMIT_S = 300
QUOTE_CHARS = 240
JUDGED = ("wrong_shown", "unanswerable_refused", "false_not_found")
PARTS = ("kind", "style", "reason")


@dataclass(frozen=True)
class Documents:
    """The site's documents by name, and which are for staff only."""

    read: dict[str, Document]
    staff: frozenset[str]


def main() -> int:
    parser = harness.arguments("answers", seconds=0)
    parser.add_argument("--site", choices=SITES, help="only this site; without it, both")
    parser.add_argument("--show", action="store_true", help="the failures on stderr (development only)")
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> Report:
    """Ask everything, judge, count. It asks a fixed number of questions, whatever `--seconds` says."""
    sites = [options.site] if options.site else SITES
    report = Report("answers", config={"sites": list(sites)})
    everything: list[Outcome] = []
    for name in sites:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
            _make_site(name, Path(folder) / "site")
            outcomes = asyncio.run(_ask_all(name, Path(folder) / "site"))
        progress(f"{name}: {len(outcomes)} questions in {time.perf_counter() - began:.0f} s")
        report.results[name] = _results(outcomes)
        everything += outcomes
        if options.show:
            _show(outcomes)
    report.results["all"] = _results(everything)
    report.judged = _judged(report.results["all"]["figures"])
    return report


def _results(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    by_variant = {
        variant: answer_judge.figures([each for each in outcomes if each.variant == variant])
        for variant in (AS_WRITTEN, REWRITTEN)
    }
    parts = {part: answer_judge.breakdown(outcomes, part) for part in PARTS}
    return {"figures": answer_judge.figures(outcomes), **by_variant, **parts}


def _judged(figures: dict[str, Any]) -> dict[str, Any]:
    judged: dict[str, Any] = {}
    for key in JUDGED:
        low, high = figures[key]["interval_95"]
        judged |= {key: figures[key]["share"], f"{key}_low": low, f"{key}_high": high}
    return judged | {"staff_leaks": figures["staff_leaks"]}


def _make_site(template: str, folder: Path) -> None:
    command = [sys.executable, "-m", "edge.cli", "init", "--template", template, "--site", str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=INIT_LIMIT_S, check=False)
    if done.returncode:
        raise harness.BenchRefused(f"`postern init --template {template}` failed; its error is above.")


async def _ask_all(name: str, folder: Path) -> list[Outcome]:
    """Every question to the site in both variants."""
    questions = answer_judge.read(name)
    paths = site_paths(folder)
    async with open_site(paths) as site:
        desk = _Kiosk(site, _documents(paths), answer_judge.staff_facts(questions))
        asked = [(each, AS_WRITTEN, each.question) for each in questions]
        asked += [(each, REWRITTEN, rewrite(each.question, each.id).text) for each in questions]
        return [await desk.outcome(*each) for each in asked]


def _documents(paths: SitePaths) -> Documents:
    read, staff = {}, set()
    for folder, audience in documents_by_audience(paths):
        for path in sorted(folder.iterdir()):
            read[path.name] = read_bytes(load(path), path.name)
            if audience is Audience.STAFF:
                staff.add(path.name)
    return Documents(read, frozenset(staff))


class _Kiosk:
    """Customers at the desk of one open site."""

    def __init__(self, site: Site, documents: Documents, staff_facts: Sequence[str]) -> None:
        self._site = site
        self._documents = documents
        self._staff_facts = staff_facts
        self._notice = notice_of(site.config.site.name)

    async def outcome(self, question: Question, variant: str, text: str) -> Outcome:
        """A conversation: what came before, the question, and where the desk asks back, the choice that fits."""
        new = await self._site.sessions.create(Channel.API, "en")
        try:
            session = await self._site.sessions.consent(new.session, self._notice.version, overflow=False)
            return await self._converse(session, question, variant, text)
        finally:
            await self._site.sessions.wipe(new.session.id)

    async def _converse(self, session: Session, question: Question, variant: str, text: str) -> Outcome:
        seen = []
        if question.previous:
            seen.append(await self._ask(session, question.previous))
        seen.append(await self._ask(session, text))
        clarified = seen[-1].route == "clarify"
        choice = answer_judge.fitting_choice(question, seen[-1], self._documents.read) if clarified else None
        if question.has_answer and choice:
            seen.append(await self._ask(session, choice))
        verdict = answer_judge.verdict(question, seen[-1])
        return Outcome(question, variant, text, seen[-1], verdict, clarified, any(map(self._leaks, seen)))

    async def _ask(self, session: Session, text: str) -> Reply:
        async with aclosing(self._site.desk.turn(session, text)) as events:
            async for event in events:
                if isinstance(event, Final):
                    return Reply.of(event.body)
        raise harness.BenchRefused("A turn ended without an answer; the node's log says why.")

    def _leaks(self, reply: Reply) -> bool:
        return answer_judge.leaks(reply, self._documents.staff, self._staff_facts)


def _show(outcomes: Sequence[Outcome], write: Callable[[str], object] = sys.stderr.write) -> None:
    for each in outcomes:
        if each.verdict in {Verdict.RIGHT, Verdict.REFUSED} and not each.leaked:
            continue
        leak = " LEAK" if each.leaked else ""
        before = f"[{each.question.previous}] " if each.question.previous else ""
        write(f"{each.verdict:<9}{leak} {each.question.id} {each.variant}: {before}{each.text}\n")
        for doc, quote in each.reply.quotes:
            write(f"          {doc}: {' '.join(quote.split())[:QUOTE_CHARS]}\n")


if __name__ == "__main__":
    sys.exit(main())
