"""What a customer is told before the first question (GDPR Art. 13, EU AI Act Art. 50), and its version.

The version is a hash of the text: consent is to these words, and changes when they do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

# Paragraphs are apart by an empty line.
_TEXT = (
    "You are talking to an AI assistant of {site}, not to a person. "
    "It answers from {site}'s own documents and shows its sources.\n\n"
    "It gives information only: "
    "it makes no diagnosis, gives no financial advice, and does not replace advice from staff. "
    "It is no emergency service: in danger, turn to a person or call the emergency number.\n\n"
    "Your words stay in this building, unless this site permits help from outside for busy moments: "
    "then names, numbers and other personal details are replaced before anything leaves. "
    "They are stored encrypted while your visit lasts and are wiped when you "
    "choose “Start over” or after a short silence. You can ask for a member of staff at any time: then your question, "
    "and what you write to them, is kept for them under a number until your matter is closed, and you can take it back."
)


@dataclass(frozen=True)
class Notice:
    """The text, and the version that consent refers to."""

    version: str
    text: str


def notice_of(site: str) -> Notice:
    """The notice of the site with this name."""
    text = _TEXT.format(site=site)
    return Notice(hashlib.sha256(text.encode()).hexdigest()[:12], text)
