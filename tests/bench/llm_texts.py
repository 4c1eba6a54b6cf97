"""What the bench of language models asks, and a text to measure perplexity on. Written for it."""

from __future__ import annotations

from typing import Final

from models.runtimes.port import Message

SYSTEM: Final = (
    "Inquiry {number}. You are the information desk of Riverside Clinic. Answer only from the passages, in full "
    "sentences, with every detail that they give."
)
PASSAGES: Final = (
    "Visiting hours: Visitors are welcome on the general wards every day from 10 in the morning until 8 "
    "in the evening. Two visitors at a time may sit at a bed. Children under twelve come with an adult. "
    "Please wash your hands when you arrive and when you leave. Flowers are allowed on the general wards "
    "but not in intensive care, where visits are arranged with the nurse in charge and last at most "
    "fifteen minutes.\n\n"
    "Parking: The car park behind the main building has two hundred spaces. The first half hour is free, "
    "each further hour costs two euros, and a whole day costs twelve. Patients who come for dialysis park "
    "free of charge; ask for a voucher at the reception desk on the ground floor. Bicycles stand under "
    "the roof beside the east entrance."
)
QUESTIONS: Final = (
    "What are all the rules for visitors?",
    "What does parking cost, and where can I park?",
    "Explain the visiting hours of every ward.",
    "Who parks free of charge, and what must they do?",
    "Describe what I may bring and whom I may bring.",
)
TEXT: Final = """\
The night nurse at Riverside begins her round at a quarter past ten, when the last visitors have gone and the
corridor lights are turned down. She carries a small lamp, a list of names, and a pen that she never lends to
anyone. In the first room an old fisherman is awake, as he always is, and asks her whether the wind has
turned. She says that it has, because it has, and because he sleeps better when he knows. In the second room
two sisters share a radio so quiet that only they can hear it. The third room is empty; its patient went home
this afternoon with a bag of medicine and a letter for his doctor.

The town library closes for two weeks every August. During that time books may be returned through the slot
beside the main door, and no fines are charged. Readers who need a book urgently can write to the librarian,
who comes in on Tuesdays to look after the post. The reading room on the upper floor was painted last year,
and the old oak tables were kept, although one of them still shows the initials that a schoolboy cut into it
in 1931. New lamps were bought from the money of the summer fair.

Whoever wants to bake bread at home needs flour, water, salt and patience. Mix the flour with most of the
water and let it rest for half an hour before the salt goes in. Fold the dough every thirty minutes for two
hours; it becomes smooth, and bubbles appear under its skin. Shape it gently, leave it in a cool place
overnight, and heat the oven as far as it will go. Bread that is cut while it is hot turns gummy, so wait for
an hour, if you can, and then eat the first slice with nothing but butter.
"""


def messages(number: int) -> list[Message]:
    """A grounded question. Its number stands first, so that nothing kept of an earlier prompt serves this one."""
    question = QUESTIONS[number % len(QUESTIONS)]
    return [
        Message("system", SYSTEM.format(number=number)),
        Message("user", f"Passages:\n{PASSAGES}\n\nQuestion: {question}"),
    ]
