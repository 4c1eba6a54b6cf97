"""Does this need a card, a person or a refusal? First by its words, before anything is searched; then by what it means.

Pure; by words it takes a fraction of a millisecond, by meaning less, since the encoder has read the question anyway.

Every language's rules look at every question, because who is in trouble writes in the language of their own. What a
rule finds counts only if the question is about as much that language as any other: `die` is German for "the".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain

from edge.chat.safety.card import Phones, SafetyCard, cards_of, emergency_phone
from edge.chat.safety.kind import Kind
from edge.chat.safety.model import SafetyModel
from edge.chat.safety.phrases import Phrases
from edge.chat.safety.rules import Hit, load
from edge.config import SafetySection, SiteSection
from models.kind_network import Floats
from models.words import Word, words

# A language of which the question has fewer words, by more than this, than of another is not the question's.
EVIDENCE_BEHIND_MAX = 1
# What the encoder reads.
MEANING_LANGUAGE = "en"
# Whoever asks for a leaflet or a course is informed, whatever it is about.
INFORMATION = "info_strong"
_ORDER = {kind: place for place, kind in enumerate(Kind)}


class SafetyCheck:
    """The rules, the site's phrases and the cards, compiled once."""

    def __init__(self, site: SiteSection, settings: SafetySection, model: SafetyModel | None = None) -> None:
        """`model`: what reads meanings; without it only words count."""
        self._model = model
        self._languages = load()
        self._speakers: dict[str, list[str]] = defaultdict(list)
        for one in self._languages:
            for word in one.vocabulary:
                self._speakers[word].append(one.code)
        self._english = next(one for one in self._languages if one.code == MEANING_LANGUAGE)
        self._site_language = _language(site.locale)
        phones = Phones(
            emergency=settings.emergency_phone or emergency_phone(site.region),
            crisis=settings.crisis_phone,
            card=settings.card_phone,
        )
        self._cards = {language.code: cards_of(language.code, phones) for language in self._languages}
        self._say_as_the_site_does(settings)
        self._phrases = Phrases([card.phrases for card in settings.cards])
        self._site_cards = [
            SafetyCard(Kind.SITE, self._site_language, card.title, card.text, card.steps, card.phone)
            for card in settings.cards
        ]

    def check(self, text: str, locale: str) -> SafetyCard | None:
        """The card for `text`, or None. `locale` (BCP 47): the page's, which decides between equal languages."""
        said = words(text)
        hits = sorted(self._hits(said), key=lambda hit: self._rank(hit, _language(locale)))
        hit = hits[0] if hits else None
        if hit is None or _ORDER[hit.kind] > _ORDER[Kind.SITE]:
            index = self._phrases.find(said)
            if index is not None:
                return self._site_cards[index]
        return self._cards[hit.language][hit.kind] if hit else None

    def check_meaning(self, text: str, embedding: Floats, encoder: str) -> SafetyCard | None:
        """The card for an English `text` with its `embedding` float32 [dim] by `encoder`, where `check` found none."""
        if self._model is None or self._model.encoder != encoder:
            return None
        said = words(text)
        kind = self._model.kind(embedding, (word.text for word in said))
        if kind is None:
            return None
        if not self._is_english(said) or self._english.mentions(INFORMATION, said):
            return None
        return self._cards[MEANING_LANGUAGE][kind]

    def _is_english(self, said: Sequence[Word]) -> bool:
        """True if no other language has more of the words: what another's embedding says is chance."""
        evidence = self._evidence(said)
        return evidence[MEANING_LANGUAGE] == max(evidence.values(), default=0)

    def _evidence(self, said: Sequence[Word]) -> Counter[str]:
        """How many of the words are words of each language, written right."""
        return Counter(chain.from_iterable(self._speakers.get(word.text, ()) for word in said))

    def _hits(self, said: Sequence[Word]) -> list[Hit]:
        """What the rules find in the languages that the question may be in."""
        evidence = self._evidence(said)
        least = max(evidence.values(), default=0) - EVIDENCE_BEHIND_MAX
        likely = [language for language in self._languages if evidence[language.code] >= least]
        return [hit for language in likely for hit in language.find(said)]

    def _rank(self, hit: Hit, language: str) -> tuple[bool, int, int, bool, bool]:
        """Smaller goes first: the graver kind, then the likelier language, then the page's, then the site's."""
        return (
            not hit.first,
            _ORDER[hit.kind],
            -hit.evidence,
            hit.language != language,
            hit.language != self._site_language,
        )

    def _say_as_the_site_does(self, settings: SafetySection) -> None:
        """The site's wording, in the site's language, where it has one."""
        own = self._cards.get(self._site_language)
        for kind, wording in ((Kind.DIAGNOSIS, settings.diagnosis_text), (Kind.ADVICE, settings.advice_text)):
            if own and wording:
                own[kind] = SafetyCard(kind, self._site_language, "", wording, (), None)


def _language(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[0].lower()
