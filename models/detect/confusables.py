"""Characters that a reader takes for a Latin letter or a digit, and characters that no reader sees.

The facts are Unicode's (UTS #39, "Unicode Security Mechanisms": confusables; property Default_Ignorable_Code_Point);
the table is ours and holds what compatibility decomposition (NFKD) leaves standing: letters of other scripts, small
capitals, boxed letters, dashes, quotes and spaces. Pure.
"""

from __future__ import annotations

import re
import unicodedata

# Latin letter or sign → those that look like it, by code point.
_LOOKALIKES = {
    "A": "\u0410\u0391\u13aa\u1d00\ua4ee",
    "B": "\u0412\u0392\u0299\u13f4\u15f7\ua4d0",
    "C": "\u0421\u03f9\u13df\u1d04\u216d\ua4da",
    "D": "\u13a0\u15de\u1d05\ua4d3",
    "E": "\u0415\u0395\u13ac\u1d07\u2d39\ua4f0",
    "F": "\u03dc\u15b4\ua4dd\ua730",
    "G": "\u050c\u0262\u13c0\u13f3\ua4d6",
    "H": "\u041d\u0397\u029c\u13bb\u157c\ua4e7",
    "I": "\u0406\u0399\u04c0\u026a\u2160\u2d4f\ua4f2",
    "J": "\u0408\u037f\u13ab\u148d\u1d0a\ua4d9",
    "K": "\u041a\u039a\u13e6\u16d5\u1d0b\u212a\ua4d7",
    "L": "\u029f\u13de\u14aa\u216c\ua4e1",
    "M": "\u041c\u039c\u03fa\u13b7\u15f0\u1d0d\ua4df",
    "N": "\u039d\u0274\u2c9a\ua4e0",
    "O": "\u041e\u039f\u0555\u1d0f\u2c9e\u2d54\ua4f3",
    "P": "\u0420\u03a1\u13e2\u146d\u1d18\ua4d1",
    "Q": "\u051a\u2d55",
    "R": "\u01a6\u0280\u13a1\u13d2\u1587\ua4e3",
    "S": "\u0405\u054f\u13d5\ua4e2\ua731",
    "T": "\u0422\u03a4\u13a2\u1d1b\ua4d4",
    "U": "\u054d\u1d1c\u222a\ua4f4",
    "V": "\u0474\u13d9\u1d20\u2d38\ua4e6",
    "W": "\u051c\u13b3\u13d4\u1d21\ua4ea",
    "X": "\u0425\u03a7\u16b7\u2d5d\ua4eb",
    "Y": "\u04ae\u03a5\u03d2\u028f\u13bd\ua4ec",
    "Z": "\u0396\u13c3\u1d22\ua4dc",
    "a": "\u0430\u03b1\u0251\u237a",
    "b": "\u042c\u0184\u13cf\u15af",
    "c": "\u0441\u03f2\u1d04\u2ca5",
    "d": "\u0501\u13e7\u146f\u217e",
    "e": "\u0435\u04bd\u212e",
    "f": "\ua799\u017f\u1e9d",
    "g": "\u0261\u018d\u0581",
    "h": "\u04bb\u0570\u13c2",
    "i": "\u0456\u03b9\u0131\u0269\u04cf\u13a5",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba\u0138",
    "l": "\u05c0\u01c0\u2223",
    "m": "\u043c\u217f",
    "n": "\u0578\u057c",
    "o": "\u043e\u03bf\u03c3\u0585\u05e1\u0d20\u101d",
    "p": "\u0440\u03c1\u2374",
    "q": "\u051b\u0563",
    "r": "\u0433\u1d26\uab47",
    "s": "\u0455\u01bd\ua731\uabaa",
    "t": "\u0442\u03c4",
    "u": "\u057d\u03c5\u028b\ua79f",
    "v": "\u03bd\u0475\u05d8\u2228",
    "w": "\u051d\u0461\u0561\u026f",
    "x": "\u0445\u03c7\u157d\u166e\u00d7",
    "y": "\u0443\u03b3\u04af\u1eff\u213d",
    "z": "\u1d22\uab93",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u02d7\u2796\u30fc\u1806\ufe58",
    ".": "\u3002\u0701\u0702\u06d4\ua4f8\u00b7\u2022\u2219\u22c5\u30fb",
    "/": "\u2044\u2215\u29f8\u2571",
    ":": "\u0589\u05c3\u2236\ua789\u02d0",
    "'": "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\u0060",
    '"': "\u201c\u201d\u201f\u00ab\u00bb\u2033",
    "\n": "\u2028\u2029\u0085\u000b\u000c",
}
_TABLE = {twin: sign for sign, twins in _LOOKALIKES.items() for twin in twins}

# Letters in boxes and circles that have no decomposition, and the letters that flags are made of: 26 in a row.
_ALPHABETS = (0x1F150, 0x1F170, 0x1F1E6)
_TABLE |= {chr(first + number): chr(ord("A") + number) for first in _ALPHABETS for number in range(26)}

# Not seen, though they are neither format characters (Cf) nor marks (Mn, Me): fillers of Hangul and Khmer.
_UNSEEN = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Mn", "Me"})
# "Tags" repeat ASCII invisibly: a text can carry a second one in them.
_TAGS = range(0xE0020, 0xE007F)
_TAG_OFFSET = 0xE0000

_KEPT_CONTROLS = "\t\n\r"
# What folding may change. Everything else is ASCII that a reader sees.
CHANGEABLE = re.compile(r"[^\t\n\r\x20-\x5f\x61-\x7e]")


_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point, and controls but tab and ends of lines (which parted what would become one word)."""


def seen(text: str) -> str:
    """What of a text somebody sees who reads it: a second text can lie in what nobody does."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)


def fold(sign: str) -> str:
    """What a reader takes the character for: usually one Latin letter, digit or sign; "" for one that nobody sees."""
    if sign.isascii():
        return sign if sign.isprintable() or sign in _KEPT_CONTROLS else _TABLE.get(sign, "")
    if ord(sign) in _TAGS:
        return chr(ord(sign) - _TAG_OFFSET)
    return "".join(map(_fold_one, unicodedata.normalize("NFKD", _TABLE.get(sign, sign))))


def _fold_one(sign: str) -> str:
    sign = _TABLE.get(sign, sign)
    digit = unicodedata.digit(sign, None)
    if digit is not None:
        return str(digit)
    if sign in _UNSEEN or (unicodedata.category(sign) in _UNSEEN_CATEGORIES and sign not in _KEPT_CONTROLS):
        return ""
    return " " if unicodedata.category(sign) == "Zs" else sign
