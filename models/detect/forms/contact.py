"""Addresses of e-mail, of pages, of machines in networks and of wallets; bank accounts by IBAN. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from models.detect.forms.checks import base58check, bech32
from models.detect.forms.evidence import THRESHOLD, probability
from models.detect.forms.form import words as kinds_of
from models.detect.forms.words import Words
from models.detect.spans import Span

# RFC 5321, 4.5.3.1: octets of a local part; RFC 1035, 2.3.4: of a label.
LOCAL_CHARS_MAX = 64
EMAIL_HINT = r"[\pL0-9._+'%-]@[\pL0-9_]"
# Mail hosts that people name without their ending.
_MAIL_HOSTS = "gmail|googlemail|hotmail|yahoo|outlook|icloud|protonmail|gmx|aol|web"
_AT = re.compile(rf"(?<=[\w.+'%-])@(?=[\w-]{{1,63}}\.\w|(?:{_MAIL_HOSTS})\b)", re.IGNORECASE)
_LOCAL_SIGNS = frozenset("._+'%-")
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
# What a picture's or a package's name has behind its dot is no domain: "logo@2x.png".
_FILE_ENDINGS = kinds_of("png jpg jpeg gif svg webp pdf doc docx txt js css py exe zip")
# Those of them that are no ordinary word.
_BARE_HOSTS = "gmail|googlemail|hotmail|yahoo|outlook|icloud|protonmail|gmx"
_EMAIL_SCORE, _EMAIL_LOOSE_SCORE = 0.995, 0.8

# As a keyboard without signs leaves an address: "ann.leegmail.com", "annlee 56 gmailcom".
BARE_EMAIL_HINT = rf"(?i)(?:{_BARE_HOSTS})[ .]?com\b"
_BARE_EMAIL = re.compile(
    rf"(?<![\w@.+-])(?:[\w.+-]{{2,40}}(?:{_BARE_HOSTS})[ .]?com"
    rf"|[a-z]{{2,30}}(?: [0-9]{{1,6}})? (?:{_BARE_HOSTS}) ?com)(?![\w@])",
    re.IGNORECASE,
)
_BARE_EMAIL_SCORE = 0.9

_ENDINGS = "com|org|net|edu|gov|mil|info|biz|io|eu|de|uk|fr|es|nl|ch|ca|au"
URL_HINT = rf"(?i)://|www\.|[a-z0-9-]\.(?:{_ENDINGS})(?:[^a-z0-9]|$)"
_URL = re.compile(
    r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"'\\|{},]{3,}"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_ENDINGS})"
    r"(?:/[^\s<>\"'\\|{},]*)?(?![\w@-])",
    re.IGNORECASE,
)
_URL_TAIL = ".,;:!?)]"
_URL_SCORE, _DOMAIN_SCORE = 0.9, 0.75

IPV4_HINT = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]\d|\w)")
IPV6_HINT = r"[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:|::[0-9A-Fa-f]"
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w{1,15})?(?![\w:])", re.IGNORECASE)
_IP_WORDS = kinds_of("ip")
# A version of a program is written like an address; most are not.
_IPV4_PRIOR, _IPV6_PRIOR = 0.85, 0.95
_IPV6_CHARS_MIN = 6

_MAC_SCORE = 0.99
MAC_HINT = (
    r"[0-9A-Fa-f][:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"
)
_MAC = re.compile(
    r"(?<![\w:-])(?:[0-9a-f]{2}(?P<sign>[:-])[0-9a-f]{2}(?:(?P=sign)[0-9a-f]{2}){4}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w:-])",
    re.IGNORECASE,
)

DEVICE_HINT = r"\(01\)|[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-"
_UDI = re.compile(r"\(01\) ?\d{14}(?: ?\(\d{2,3}\) ?[\w-]{1,20}){0,6}")
_UUID = re.compile(r"(?<!\w)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?!\w)", re.IGNORECASE)

WALLET_HINT = r"[0-9A-Za-z]{26}"
_WALLET = re.compile(
    r"(?<![0-9A-Za-z])(?:0x[0-9a-fA-F]{40}|(?:bc1|tb1|ltc1|BC1)[0-9a-zA-Z]{11,87}"
    r"|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|[1-9A-HJ-NP-Za-km-z]{26,35})(?![0-9A-Za-z])"
)
_CRYPTO_WORDS = kinds_of("crypto")

# ISO 13616 register: a country's code and how long its IBAN is.
_IBANS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
    EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
    IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
    NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
    SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27
    GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28
"""
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
IBAN_HINT = r"(?:^|[^0-9A-Za-z])[A-Za-z]{2} ?[0-9]{2}(?:[ .-]{0,2}[0-9A-Za-z]){4}"
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ .-]{0,2}[0-9A-Za-z]){11,31}")
# ISO 7064: A is 10, Z 35.
_LETTER_NUMBERS = {ord("A") + place: str(10 + place) for place in range(26)}
# "de 89 3704 ...", as dictation writes it; only with a valid check and half of it digits, since "di 75 euro" and
# "at 2901 East" begin like it.
_IBAN_APART = re.compile(
    r"(?<![0-9A-Za-z])[A-Za-z]{2} [0-9]{2}(?= ?[A-Za-z]{0,4} ?[0-9])(?:[ .-]{0,2}[0-9A-Za-z]){11,31}"
)
_ALNUM = re.compile(r"[0-9A-Za-z]")
_IBAN_WORDS = kinds_of("bank")
# One string in 97 passes; one with a country's code and length is hardly ever anything else.
_IBAN_PRIOR, _IBAN_PASSES = 0.5, 0.01
# The same with a slip in it is one only beside its word.
_IBAN_SLIP_PRIOR = 0.15
# ISO 13616: the longest there is.
IBAN_SIGNS_MAX = 34
# "Invoice DE89 ..." is still an account.
_IBAN_RATIO_MIN = 0.1


def emails(text: str) -> Iterator[Span]:
    """Addresses of e-mail."""
    for at in _AT.finditer(text):
        start = place = at.start()
        lowest = max(0, place - LOCAL_CHARS_MAX)
        while start > lowest and (text[start - 1].isalnum() or text[start - 1] in _LOCAL_SIGNS):
            start -= 1
        while start < place and text[start] in "._'%-":
            start += 1
        domain = _DOMAIN.match(text, at.end())
        if start == place or domain is None:
            continue
        labels = domain.group().rstrip("-").split(".")
        while len(labels) > 1 and not _is_ending(labels[-1]):
            labels.pop()
        end = at.end() + len(".".join(labels))
        if len(labels) > 1:
            yield Span("EMAIL", start, end, _EMAIL_SCORE)
        elif labels[0].lower() in _MAIL_HOSTS.split("|"):
            yield Span("EMAIL", start, end, _EMAIL_LOOSE_SCORE)


def bare_emails(text: str) -> Iterator[Span]:
    """Addresses of well-known hosts that lost their signs."""
    for match in _BARE_EMAIL.finditer(text):
        yield Span("EMAIL", match.start(), match.end(), _BARE_EMAIL_SCORE)


def _is_ending(label: str) -> bool:
    return (
        len(label) >= 2
        and (label.isalpha() or label.startswith("xn--"))
        and label.lower() not in _FILE_ENDINGS
    )


def urls(text: str) -> Iterator[Span]:
    """Addresses of pages, and names of hosts with a common ending."""
    for match in _URL.finditer(text):
        value = match.group().rstrip(_URL_TAIL)
        told = "://" in value or value[:4].lower() == "www."
        if "." in value or "://" in value:
            yield Span(
                "URL", match.start(), match.start() + len(value), _URL_SCORE if told else _DOMAIN_SCORE
            )


def ipv4(text: str, words: Words) -> Iterator[Span]:
    """Addresses of machines in networks of version 4."""
    for match in _IPV4.finditer(text):
        if all(int(part) < 256 for part in match.group().split(".")):
            yield from _scored("IP_ADDRESS", words, match, _IPV4_PRIOR, _IP_WORDS)


def ipv6(text: str, words: Words) -> Iterator[Span]:
    """Addresses of machines in networks of version 6."""
    for match in _IPV6.finditer(text):
        if len(match.group()) >= _IPV6_CHARS_MIN and _is_ipv6(match.group()):
            yield from _scored("IP_ADDRESS", words, match, _IPV6_PRIOR, _IP_WORDS)


def macs(text: str) -> Iterator[Span]:
    """Addresses of network cards."""
    for match in _MAC.finditer(text):
        yield Span("MAC_ADDRESS", match.start(), match.end(), _MAC_SCORE)


def _is_ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def _scored(
    kind: str, words: Words, match: re.Match[str], prior: float, kinds: frozenset[str], passes: float = 1.0
) -> Iterator[Span]:
    score = probability(prior, passes, words.beside(match.start(), match.end()).ratio(kinds))
    if score >= THRESHOLD:
        yield Span(kind, match.start(), match.end(), score)


def devices(text: str, words: Words) -> Iterator[Span]:
    """Unique device identifiers in GS1's written form, and UUIDs that are called a device's."""
    for match in _UDI.finditer(text):
        yield from _scored("DEVICE_ID", words, match, 0.95, kinds_of("device"))
    for match in _UUID.finditer(text):
        yield from _scored("DEVICE_ID", words, match, 0.1, kinds_of("device"))


def wallets(text: str, words: Words) -> Iterator[Span]:
    """Addresses of crypto currencies."""
    for match in _WALLET.finditer(text):
        value = match.group()
        if value.startswith("0x") or len(value) == 95:
            passes, prior, sure = 1.0, 0.8, True
        elif value[:3].lower() in ("bc1", "tb1", "ltc"):
            passes, prior, sure = 1e-6, 0.5, bech32(value)
        else:
            passes, prior, sure = 1e-6, 0.5, any(map(str.isdigit, value)) and base58check(value)
        if sure:
            yield from _scored("CRYPTO_ADDRESS", words, match, prior, _CRYPTO_WORDS, passes)
        elif any(map(str.isdigit, value)):
            yield from _scored("CRYPTO_ADDRESS", words, match, 0.01, _CRYPTO_WORDS)


def ibans(text: str, words: Words) -> Iterator[Span]:
    """International bank account numbers: exactly as many signs as the country's have, however they are spaced."""
    for pattern in (_IBAN, _IBAN_APART):
        for match in pattern.finditer(text):
            length = _IBAN_LENGTHS.get(text[match.start() : match.start() + 2].upper(), IBAN_SIGNS_MAX + 1)
            places = [sign.start() for sign in _ALNUM.finditer(text, *match.span())]
            if len(places) >= length:
                yield from _iban(text, words, places[:length], slips=pattern is _IBAN)


def _iban(text: str, words: Words, places: list[int], *, slips: bool) -> Iterator[Span]:
    """`slips`: also one whose check fails, where its words stand beside it and nothing goes on behind it."""
    start, end = places[0], places[-1] + 1
    value = "".join([text[place] for place in places]).upper()
    if not slips and 2 * sum(map(str.isdigit, value)) < len(value):
        return
    ratio = words.beside(start, end).ratio(_IBAN_WORDS)
    score = 0.0
    if int((value[4:] + value[:4]).translate(_LETTER_NUMBERS)) % 97 == 1:
        score = probability(_IBAN_PRIOR, _IBAN_PASSES, max(ratio, _IBAN_RATIO_MIN))
    elif slips and not text[end : end + 1].isalnum():
        score = probability(_IBAN_SLIP_PRIOR, 1.0, ratio)
    if score >= THRESHOLD:
        yield Span("IBAN", start, end, score)
