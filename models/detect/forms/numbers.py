"""Numbers that the table of forms knows, each as sure as its form, its check and the words beside it make it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.detect.forms import health, identity, money, things
from models.detect.forms.evidence import THRESHOLD
from models.detect.forms.form import SEPARATORS, Form
from models.detect.forms.regions import Proposal, Proposer, Stretch, shape_of, stretches
from models.detect.forms.words import Words
from models.detect.spans import Span

FORMS: tuple[Form, ...] = (*money.FORMS, *identity.FORMS, *health.FORMS, *things.FORMS)
_PROPOSER = Proposer(FORMS)

HINT = r"[0-9]"
# A value hangs on to something else by a hyphen, a full stop or a slash: most such are parts of another number.
RATIO_CUT = 0.05
# A text with more candidates than a person types in a day is a flood. What is left of it is not examined: every number
# counts as personal, so that nothing is hidden by what stands before it.
CANDIDATES_MAX = 1000
_UNEXAMINED = re.compile(r"[0-9](?:[^\w\n]{0,2}[0-9])*+")
_UNEXAMINED_DIGITS_MIN = 6
_UNEXAMINED_SCORE = 0.6


def numbers(text: str, words: Words, region: str) -> Iterator[Span]:
    """The values of the table in `text`; `region` (ISO 3166) makes its own country's likelier."""
    left = CANDIDATES_MAX
    for stretch in stretches(shape_of(text)):
        candidates = _candidates(stretch, words)
        left -= 1 + len(candidates)
        if left < 0:
            yield from _unexamined(text, stretch.start)
            return
        for proposal in candidates:
            span = _span(text, stretch, proposal, words, region)
            if span:
                yield span


def _candidates(stretch: Stretch, words: Words) -> tuple[Proposal, ...]:
    proposals = _PROPOSER.proposals(stretch.shape)
    # Capitals inside a stretch may be the word: what stands before its end and behind its start.
    if proposals.named and words.beside(stretch.end, stretch.start).names(proposals.kinds):
        return (*proposals.alone, *proposals.named)
    return proposals.alone


def _span(text: str, stretch: Stretch, proposal: Proposal, words: Words, region: str) -> Span | None:
    form, start, end = proposal.form, stretch.start + proposal.start, stretch.start + proposal.end
    ratio = words.beside(start, end).ratio(form.words) * (RATIO_CUT if proposal.cut else 1.0)
    score = form.score(ratio, region)
    if score < THRESHOLD or not form.check(SEPARATORS.sub("", text[start:end]).upper()):
        return None
    return Span(form.type, start, end, score)


def _unexamined(text: str, start: int) -> Iterator[Span]:
    for match in _UNEXAMINED.finditer(text, start):
        if sum(map(str.isdigit, match.group())) >= _UNEXAMINED_DIGITS_MIN:
            yield Span("OTHER_ID", match.start(), match.end(), _UNEXAMINED_SCORE)
