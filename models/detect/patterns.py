"""Personal values that have a form: numbers with checksums, addresses of e-mail and networks, telephones, days.

A form proposes, a check decides where one exists (python-stdnum, phonenumbers, our own in `forms/checks.py`), and the
words beside say how sure that is: `score` is a calibrated probability, and what is below `THRESHOLD` is not told. No
pattern is super-linear. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.pattern_set import PatternSet
from models.detect.covering import cover
from models.detect.forms import contact, numbers, persons, phones
from models.detect.forms.words import Words
from models.detect.normalise import views
from models.detect.site_patterns import NO_SITE_PATTERNS, SitePatterns
from models.detect.spans import Span

_Find = Callable[[str, Words, str], Iterator[Span]]

# What must stand in a text before a finder is called, all looked for in one pass.
_FINDERS: tuple[tuple[str, _Find], ...] = (
    (contact.EMAIL_HINT, lambda text, _words, _region: contact.emails(text)),
    (contact.BARE_EMAIL_HINT, lambda text, _words, _region: contact.bare_emails(text)),
    (contact.URL_HINT, lambda text, _words, _region: contact.urls(text)),
    (contact.IPV4_HINT, lambda text, words, _region: contact.ipv4(text, words)),
    (contact.IPV6_HINT, lambda text, words, _region: contact.ipv6(text, words)),
    (contact.MAC_HINT, lambda text, _words, _region: contact.macs(text)),
    (contact.IBAN_HINT, lambda text, words, _region: contact.ibans(text, words)),
    (contact.WALLET_HINT, lambda text, words, _region: contact.wallets(text, words)),
    (contact.DEVICE_HINT, lambda text, words, _region: contact.devices(text, words)),
    (numbers.HINT, numbers.numbers),
    (phones.HINT, phones.phones),
    (persons.DAY_HINT, lambda text, words, _region: persons.days(text, words)),
    (persons.MONTH_HINT, lambda text, words, _region: persons.months(text, words)),
    (persons.AGE_HINT, lambda text, _words, _region: persons.ages(text)),
    (persons.POSTCODE_HINT, lambda text, _words, _region: persons.postcodes(text)),
    (persons.POSTCODE_NAMED_HINT, lambda text, _words, _region: persons.named_postcodes(text)),
    (persons.TOWN_HINT, lambda text, _words, region: persons.postcodes_of_towns(text, region)),
    (persons.CREDENTIAL_HINT, lambda text, _words, _region: persons.credentials(text)),
)
_HINTS = PatternSet(hint for hint, _ in _FINDERS)


def scan(
    text: str, *, region: str = "US", site: SitePatterns = NO_SITE_PATTERNS, trade: bool = True
) -> list[Span]:
    """The personal values with a form in `text`, disguised or not, in order, without overlaps.

    `region` (ISO 3166) is the site's country: it reads phone numbers that carry no country code, and its own kinds of
    number are likelier. `site`: its own identifiers. `trade`: whether a word of trade ("order") excuses a number.
    """
    found: list[Span] = []
    for view in views(text):
        for span in (*_scan(view.text, region, trade), *site.scan(view.text)):
            found.append(Span(span.type, *view.original(span.start, span.end), span.score))
    return cover(text, found)


def _scan(text: str, region: str, trade: bool) -> Iterator[Span]:
    hints = _HINTS.found(text)
    if not hints:
        return
    words = Words(text, trade=trade)
    for number in hints:
        yield from _FINDERS[number][1](text, words, region)
