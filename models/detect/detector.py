"""Text → what is personal in it: forms that validators know, what an encoder's tagger says of its tokens, the label.

The only way to scan. Blocking and thread-safe. What fails raises: nobody gets a finding that looks empty because a part
of the detector did not do its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

import numpy as np

from models.detect import patterns
from models.detect.covering import cover
from models.detect.label import Label, label_of
from models.detect.normalise import View, undisguised
from models.detect.site_patterns import NO_SITE_PATTERNS, SitePatterns
from models.detect.spans import Span, redact
from models.detect.tagger import Floats, Passed, Tagged, Tagger
from models.detect.windows import Window, halved, joined, windows
from models.errors import ModelError

Decode = Callable[[str, Tagged], Sequence[Span]]
"""What the tokens' scores say, as spans of the text that was passed."""

EVERY_FORM: Final = (
    "a.b@example.org +44 20 7946 0018 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 1981-03-12"
)
"""What makes the validators load their libraries."""

ROWS_MAX: Final = 64
"""Windows of one call of the tagger: what a long text takes in memory at once."""

GROWTH_MAX: Final = 4
"""Times its length that a text without its disguises may have: a ligature can be 18 letters, and each costs a pass its
time. Past it the finding is not complete."""


class Special(Protocol):
    """Tells text of GDPR Art. 9, by its words, and by what it means where there is an embedding."""

    def is_special(self, text: str, embedding: Floats | None = None) -> bool:
        """`embedding` float32 [dim] of the encoder that it was fitted on. Thread-safe."""
        ...


class ScanUnusable(ModelError):
    """The detector's models returned what cannot be."""

    code = "scan_unusable"
    title = "The detector does not work"
    remedy = "Run `postern models verify`, then restart the node. No text leaves meanwhile."


@dataclass(frozen=True, slots=True)
class Finding:
    """What is personal in a text: in order, without overlaps; `complete`: names and all the rest were looked for."""

    spans: tuple[Span, ...]
    label: Label
    complete: bool = False
    """Unless somebody says so, it is not: who decides what may leave must not read silence as absence."""

    @property
    def types(self) -> list[str]:
        """The types that were found, sorted."""
        return sorted({span.type for span in self.spans})

    def redacted(self, text: str) -> str:
        """The text that was scanned, each value replaced by its type in brackets."""
        return redact(text, self.spans)


@dataclass(frozen=True, slots=True)
class Part:
    """A window of a text: one row of a pass. `view`: `text` is the given one without its disguises."""

    text: str = field(repr=False)
    window: Window
    view: View | None = None

    @property
    def row(self) -> str:
        """What the encoder reads."""
        return self.text[self.window.start : self.window.end]


@dataclass(frozen=True, slots=True)
class Found:
    """What one part told: spans of its text by tokens, and, with a text's first part, by their form."""

    part: Part
    tagged: tuple[Span, ...] = ()
    formed: tuple[Span, ...] = ()
    special: bool = False
    complete: bool = False


class Detector:
    """`region` (ISO 3166) reads telephone numbers without a country code; `site`: its own identifiers."""

    def __init__(
        self,
        region: str,
        tagger: Tagger | None = None,
        special: Special | None = None,
        decode: Decode | None = None,
        site: SitePatterns = NO_SITE_PATTERNS,
    ) -> None:
        """Without `tagger` or `decode` only forms are found, and no finding is complete."""
        self._region = region
        self._site = site
        self._tagger = tagger
        self._special = special
        self._decode = decode
        self.failing = False
        """It did not work when it was asked last: it raised, or the tagger told nothing where it should."""

    @property
    def complete(self) -> bool:
        """Whether findings are, with the encoder that serves now."""
        return self._decode is not None and self._tagger is not None and self._tagger.complete

    def scan(self, texts: Sequence[str]) -> list[Finding]:
        """With passes of its own. Raises RuntimeUnavailable, ScanUnusable."""
        parts_of = [self.parts(text) for text in texts]
        rows = [part for parts in parts_of for part in parts]
        found: list[Found] = []
        for first in range(0, len(rows), ROWS_MAX):
            found += self.scan_parts(rows[first : first + ROWS_MAX])
        told = iter(found)
        return [
            self.finding(text, list(islice(told, len(parts))))
            for text, parts in zip(texts, parts_of, strict=True)
        ]

    def of_pass(self, text: str, tagged: Tagged | None, embedding: Floats) -> Finding:
        """Of a pass that was made already, which read all of `text`. Raises ScanUnusable."""
        part = Part(text, Window(0, len(text), 0, len(text)))
        return self.of_passes(text, [part], [Passed(embedding, tagged)])

    def of_passes(self, text: str, parts: Sequence[Part], passes: Sequence[Passed]) -> Finding:
        """Of passes of all its parts that were made already. Raises RuntimeUnavailable, ScanUnusable."""
        with self._noting():
            found = [self._of_row(part, one) for part, one in zip(parts, passes, strict=True)]
            self._look_at(found)
            return self._together(text, [self._with_forms(one) for one in found])

    def of_forms(self, text: str, *, trade: bool = True) -> Finding:
        """Without a pass: names are not looked for. `trade`: whether a word of trade ("order") excuses a number."""
        view = undisguised(text)
        special = any(self._by_words(one) for one in (text, *([view.text] if view else ())))
        return _finding(text, self._formed(text, trade=trade), special=special, complete=False)

    def forms(self, text: str, *, trade: bool) -> Finding:
        """As `of_forms`, for who goes by the spans: words of GDPR Art. 9 are not looked for."""
        return _finding(text, self._formed(text, trade=trade), special=False, complete=False)

    def warm(self) -> None:
        """Load what a first text would wait for. Blocking."""
        self.of_forms(EVERY_FORM)

    def parts(self, text: str) -> list[Part]:
        """The rows in which a text is passed; one in disguise also as a person reads it."""
        given = [Part(text, window) for window in windows(text)]
        view = undisguised(text)
        if view is None or len(view.text) > GROWTH_MAX * len(text):
            return given
        return [*given, *(Part(view.text, window, view) for window in windows(view.text))]

    def scan_parts(self, parts: Sequence[Part]) -> list[Found]:
        """What each tells, from one call of the tagger. Raises RuntimeUnavailable, ScanUnusable."""
        with self._noting():
            found = self._by_tokens(parts)
            self._look_at(found)
            return [self._with_forms(one) for one in found]

    def finding(self, text: str, found: Sequence[Found]) -> Finding:
        """The parts of a text put together. Raises ScanUnusable."""
        with self._noting():
            return self._together(text, found)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.failing = True
            raise

    def _look_at(self, found: Sequence[Found]) -> None:
        self.failing = self.complete and not all(one.complete for one in found)

    def _by_words(self, text: str) -> bool:
        return self._special is not None and self._special.is_special(text)

    def _by_tokens(self, parts: Sequence[Part]) -> list[Found]:
        if self._tagger is None:
            return [Found(part, special=self._by_words(part.row)) for part in parts]
        passes = self._tagger.tag([part.row for part in parts])
        if len(passes) != len(parts):
            raise ScanUnusable(f"{len(parts)} rows were passed, {len(passes)} came back.")
        return [self._of_row(part, one) for part, one in zip(parts, passes, strict=True)]

    def _of_row(self, part: Part, passed: Passed) -> Found:
        if passed.truncated:
            return self._of_halves(part)
        _check(passed)
        # Tagger and network were fitted on one encoder: where that serves, both read its pass, else neither.
        meaning = None if passed.tagged is None else passed.embedding
        special = self._special is not None and self._special.is_special(part.row, meaning)
        if self._decode is None or passed.tagged is None:
            return Found(part, special=special)
        spans = _moved(self._decode(part.row, passed.tagged), part.window.start)
        return Found(part, tagged=spans, special=special, complete=True)

    def _of_halves(self, part: Part) -> Found:
        """A row of which the encoder did not read the end."""
        if len(part.row) < 2:
            raise ScanUnusable("The encoder does not read a single character.")
        found = self._by_tokens([Part(part.row, window) for window in halved(part.row)])
        spans = joined((one.part.window, one.tagged) for one in found)
        special, complete = any(one.special for one in found), all(one.complete for one in found)
        return Found(part, tagged=_moved(spans, part.window.start), special=special, complete=complete)

    def _with_forms(self, found: Found) -> Found:
        """Forms are looked for in the whole text at once, in linear time: with its first part."""
        if found.part.window.start or found.part.view:
            return found
        formed = tuple(self._formed(found.part.text))
        return Found(found.part, found.tagged, formed, found.special, found.complete)

    def _formed(self, text: str, *, trade: bool = True) -> list[Span]:
        return patterns.scan(text, region=self._region, site=self._site, trade=trade)

    def _together(self, text: str, found: Sequence[Found]) -> Finding:
        """Raises ScanUnusable."""
        given = [one for one in found if one.part.view is None]
        spans = [*_joined(text, given), *(span for one in given for span in one.formed)]
        special, complete = any(one.special for one in found), all(one.complete for one in found)
        if view := undisguised(text):
            read = [one for one in found if one.part.view]
            if read:
                spans += [_back(view, span) for span in _joined(view.text, read)]
            else:  # it grew too long, or a pass of others' making read the disguise alone
                special, complete = special or self._by_words(view.text), False
        return _finding(text, spans, special=special, complete=complete)


def _joined(text: str, found: Sequence[Found]) -> list[Span]:
    """What the tokens of one reading of a text told. Raises ScanUnusable."""
    if not _whole(text, found):
        raise ScanUnusable("A part of the text was not scanned.")
    return _inside(text, joined((one.part.window, one.tagged) for one in found))


def _whole(text: str, found: Sequence[Found]) -> bool:
    """Whether what the parts' windows own is all of the text, in order."""
    place = 0
    for one in found:
        if one.part.window.first != place:
            return False
        place = one.part.window.last
    return bool(found) and place == len(text)


def _finding(text: str, spans: list[Span], *, special: bool, complete: bool) -> Finding:
    """Where names were not looked for, a text counts as personal at least. Raises ScanUnusable."""
    covered = cover(text, _inside(text, spans))
    label = label_of(covered, special)
    return Finding(tuple(covered), label if complete else max(label, Label.PERSONAL), complete)


def _inside(text: str, spans: list[Span]) -> list[Span]:
    """Raises ScanUnusable."""
    if any(not 0 <= span.start < span.end <= len(text) for span in spans):
        raise ScanUnusable("A span lies outside its text.")
    return spans


def _check(passed: Passed) -> None:
    """Numbers that are none compare as false with every bound: a broken model would look like a clean text."""
    if not np.isfinite(passed.embedding).all():
        raise ScanUnusable("The embedding is not finite.")
    tagged = passed.tagged
    if tagged is None:
        return
    if len(tagged.offsets) != len(tagged.scores) or not np.isfinite(tagged.scores).all():
        raise ScanUnusable("The tagger's scores are not finite, or not one row a token.")


def _back(view: View, span: Span) -> Span:
    return Span(span.type, *view.original(span.start, span.end), span.score)


def _moved(spans: Sequence[Span], by: int) -> tuple[Span, ...]:
    return tuple(Span(span.type, span.start + by, span.end + by, span.score) for span in spans)
