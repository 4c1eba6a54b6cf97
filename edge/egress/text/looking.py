"""The guard's look at a text: what the detector finds in each part, in time and believable, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final, Protocol

from edge.egress.text.handover import Part, Scans, Source
from edge.egress.text.last_look import by_source, types_of
from edge.egress.text.masking_check import Unbelievable, believed, without
from edge.egress.text.one_language import one_language
from edge.egress.text.published_findings import PublishedFindings, without_fences
from edge.egress.text.whole_names import whole_names
from edge.privacy.scanning import ScanLate
from models.detect.covering import cover
from models.detect.detector import Finding
from models.detect.label import Label, label_of
from models.detect.rates import Rates

SCAN_S_MAX: Final = 5.0
"""Of all parts of a text. A scan takes milliseconds, a second or two behind customers; past it the detector hangs."""

LOOKED_S_MAX: Final = SCAN_S_MAX
"""So old a turn's own look may be that stands for one of the guard's: no older than one that was waited for."""

CHARS_INLINE: Final = 1_000
"""Up to here telling the language, or all forms, takes a millisecond or two, and a thread as long; a customer's text
has 4,000."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, part by part, and what it comes to."""

    findings: tuple[Finding, ...]
    label: Label
    types: frozenset[str]
    document_types: frozenset[str]
    language: str | None
    miss_rate: float | None
    complete: bool


FORMS: Final = "forms"
"""Version of what looks for forms: the site's own are read once, when the node starts."""

NOT_LOOKED: Final = Look((), Label.SPECIAL, frozenset(), frozenset(), None, None, complete=False)
"""Where nothing that could be found would matter."""


class Forms(Protocol):
    """What has a form in a text; who asks goes by the spans. `trade`: whether a word of trade excuses a number, as it
    does in what is published: whoever writes a card's behind "order" wrote a card's."""

    def __call__(self, text: str, *, trade: bool) -> Finding: ...


@dataclass(frozen=True, slots=True)
class Instruments:
    """What the guard looks with.

    forms        what has a form, without a model
    language_of  ISO 639-1 of a text, None in doubt
    rates        what the detector misses, by language
    version      of the detector that scans now; changes whenever it may find something else
    failing      whether the detector did not work when it was asked last, by whomever
    """

    scans: Scans
    forms: Forms
    language_of: Callable[[str], str | None]
    rates: Rates
    version: Callable[[], str]
    failing: Callable[[], bool]


class Looking:
    """Used from one event loop."""

    def __init__(self, instruments: Instruments) -> None:
        self._with = instruments
        self._published = PublishedFindings()
        self._left_published = PublishedFindings()

    async def look(self, parts: Sequence[Part]) -> Look:
        """What is in the parts. Raises PosternError, Unbelievable, or whatever the detector raises."""
        findings = await self._findings(parts)
        own, published = by_source(parts, findings)
        rest = [
            without(part.text, finding.spans)
            for part, finding in zip(parts, findings, strict=True)
            if part.source is not Source.PUBLIC
        ]
        language = await self._language(rest)
        measured = self._with.rates.of(language)
        complete = all(finding.complete for finding in findings)
        return Look(
            findings,
            max((finding.label for finding in own), default=Label.PUBLIC),
            types_of(own),
            types_of(published),
            language,
            measured.at_most if measured and complete else None,
            complete,
        )

    def forms_left(self, part: Part, left: str) -> Finding:
        """What has a form, without a model, in what is `left` of a part without marks. Of a passage that is the same
        whenever it goes under the same policy."""
        if part.source is not Source.PUBLIC:
            return self._with.forms(left, trade=False)
        text = without_fences(left)
        found = self._left_published.of(text, FORMS)
        if found is None:
            found = self._with.forms(text, trade=True)
            self._left_published.keep(text, FORMS, found)
        return found

    async def _language(self, rest: Sequence[str]) -> str | None:
        if sum(map(len, rest)) <= CHARS_INLINE:
            return one_language(rest, self._with.language_of)
        return await asyncio.to_thread(one_language, rest, self._with.language_of)

    async def _findings(self, parts: Sequence[Part]) -> tuple[Finding, ...]:
        """One a part, each believable. Published texts may be known; something is looked at for each text, though, here
        or by its turn just now, so that nothing goes while the detector does not work."""
        version = self._with.version()
        of_turn = [self._of_turn(part, version) for part in parts]
        known = [mine or self._known(part, version) for part, mine in zip(parts, of_turn, strict=True)]
        if None not in known and not any(of_turn):
            known = [None] * len(parts)
        unread = [_text(part) for part, finding in zip(parts, known, strict=True) if finding is None]
        found = iter(await self._scan(unread) if unread else ())
        told = tuple(
            believed(part.text, next(found)) if finding is None else finding
            for part, finding in zip(parts, known, strict=True)
        )
        if version == self._with.version():
            for part, before, finding in zip(parts, known, told, strict=True):
                if before is None and part.source is Source.PUBLIC and finding.complete:
                    self._published.keep(_text(part), version, finding)
        if sum(len(part.text) for part in parts if part.source is not Source.PUBLIC) <= CHARS_INLINE:
            return self._with_more(parts, told)
        return await asyncio.to_thread(self._with_more, parts, told)

    def _with_more(self, parts: Sequence[Part], told: Sequence[Finding]) -> tuple[Finding, ...]:
        """Of somebody's words names as a whole, and what a word of trade excuses, at which the last look would hold
        them back. No more of what has a form: by what else it finds, a detector is known that lost something."""
        return tuple(
            finding if part.source is Source.PUBLIC else self._with_excused(part.text, finding)
            for part, finding in zip(parts, told, strict=True)
        )

    def _with_excused(self, text: str, told: Finding) -> Finding:
        told = replace(told, spans=tuple(whole_names(text, told.spans)))
        every = self._with.forms(text, trade=False).spans
        if not every:
            return told
        plain = self._with.forms(text, trade=True).spans
        excused = [
            span for span in every if not any(one.start < span.end and span.start < one.end for one in plain)
        ]
        spans = tuple(cover(text, [*told.spans, *excused]))
        return Finding(spans, max(told.label, label_of(spans, special=False)), told.complete)

    def _of_turn(self, part: Part, version: str) -> Finding | None:
        """What a turn found in exactly these words a moment ago, by the detector that is here now and works; None where
        anything of that is not so. Raises Unbelievable."""
        looked = part.looked
        if looked is None or part.source is not Source.CUSTOMER or looked.text != part.text:
            return None
        just_now = 0 <= monotonic() - looked.at_s <= LOOKED_S_MAX
        if not just_now or looked.version != version or not looked.finding.complete or self._with.failing():
            return None
        return believed(part.text, looked.finding)

    def _known(self, part: Part, version: str) -> Finding | None:
        return self._published.of(_text(part), version) if part.source is Source.PUBLIC else None

    async def _scan(self, texts: Sequence[str]) -> Sequence[Finding]:
        """In time, or not at all: a scan that does not even end when it is cancelled is left behind."""
        scan = asyncio.ensure_future(self._with.scans.scan_all(texts, deadline_s=SCAN_S_MAX))
        scan.add_done_callback(_ended)
        try:
            done, _ = await asyncio.wait({scan}, timeout=SCAN_S_MAX)
        finally:
            scan.cancel()
        if not done:
            raise ScanLate
        findings = scan.result()
        if len(findings) != len(texts):
            raise Unbelievable("count")
        return findings


def _text(part: Part) -> str:
    """As it is looked at: of a published one without what is of this turn alone."""
    return without_fences(part.text) if part.source is Source.PUBLIC else part.text


def _ended(scan: asyncio.Future[Sequence[Finding]]) -> None:
    """Looked at, so that no error of a scan that was left behind is told with its message."""
    if not scan.cancelled():
        scan.exception()
