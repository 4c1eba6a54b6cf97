"""A small invented site, a museum in a water mill, whose visitors ask in other words than its papers use."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

DOCUMENTS = {
    "times.md": "# Opening times\n\n"
    "The museum is open from Tuesday to Sunday, 10:00 to 17:00. On Mondays it is closed. "
    "The last admission is at 16:15. In January the museum is closed for repairs.",
    "tickets.md": "# Admission\n\n"
    "Adults pay £9. Children under 12 are admitted free of charge. Pensioners and students "
    "pay £6. A season ticket for twelve months is £30. We accept cards and cash.",
    "dogs.md": "# Animals\n\n"
    "Dogs on a lead may enter the garden and the yard. Inside the mill only assistance dogs are "
    "permitted, as the floors are open. A bowl of water stands at the gate.",
    "cafe.md": "# The bakehouse\n\n"
    "The bakehouse serves soup, bread from our own flour and cake from 11:00 to 16:00. "
    "High chairs are provided. You may eat your own sandwiches at the tables by the pond.",
    "groups.md": "# School classes\n\n"
    "Classes book four weeks ahead by telephone. A guided tour lasts 90 minutes and is "
    "£60 for up to 30 pupils. Two teachers per class are admitted free. Coaches stop at the church.",
    "lost.md": "# Property found\n\n"
    "What is found is kept at the ticket desk for three months. Describe the item and we "
    "look for it. Valuables are handed to the police after a week.",
    "access.md": "# Wheelchairs and prams\n\n"
    "A lift reaches the first floor. The second floor is reached by a steep "
    "stair only. Two wheelchairs are lent at the entrance without charge. Prams stay in the yard.",
}
Asked = tuple[str, str | None]
# What visitors ask and staff would put right.
CORRECTIONS: tuple[Asked, ...] = (
    ("Could I come round on a weekday morning?", "times.md"),
    ("How much would it set a grown-up back?", "tickets.md"),
    ("Do little ones have to pay?", "tickets.md"),
    ("Can my spaniel come along?", "dogs.md"),
    ("Anywhere to grab lunch?", "cafe.md"),
    ("May we have a picnic?", "cafe.md"),
    ("I'd like to bring my Year 5s, how?", "groups.md"),
    ("Where does our bus drop us off?", "groups.md"),
    ("My scarf has gone missing since our visit", "lost.md"),
    ("My gran can't manage steps", "access.md"),
)
GOLDEN: tuple[Asked, ...] = (
    ("Up to when in the afternoon can I still get in?", "times.md"),
    ("Are you shut at the start of the week?", "times.md"),
    ("Is it worth coming in the new year?", "times.md"),
    ("What do I pay as a retired person?", "tickets.md"),
    ("Can I use contactless?", "tickets.md"),
    ("Is there a yearly pass?", "tickets.md"),
    ("Is my puppy welcome?", "dogs.md"),
    ("Can I take my guide dog upstairs?", "dogs.md"),
    ("Do you do hot food?", "cafe.md"),
    ("Somewhere for a toddler to sit while we eat?", "cafe.md"),
    ("How long before must a teacher ring you?", "groups.md"),
    ("What does a tour for my pupils come to?", "groups.md"),
    ("I left my umbrella with you", "lost.md"),
    ("Did anyone hand in a purse?", "lost.md"),
    ("Can I push the buggy round?", "access.md"),
    ("Do you lend a chair to somebody who cannot walk far?", "access.md"),
    ("Who painted the Mona Lisa?", None),
    ("How do I renew my passport?", None),
    ("What is the interest on a mortgage?", None),
    ("Do you repair bicycles?", None),
    ("Can I rent a room for the night?", None),
    ("Which bus goes to the airport?", None),
    ("Where can I buy stamps?", None),
    ("Is there a swimming pool?", None),
)


def write_documents(folder: Path) -> None:
    """The papers, as Markdown."""
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")


def lines(asked: Iterable[Asked]) -> str:
    """As `questions.jsonl` has them."""
    return "".join(json.dumps({"question": question, "doc": doc}) + "\n" for question, doc in asked)
