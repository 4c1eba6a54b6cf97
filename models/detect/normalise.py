"""A text in the forms in which a value may stand in it: as given, and with every disguise taken off.

Each view says where its characters stand in the text as given (code points), so what is found in one can be replaced in
the other. Pure.
"""

from __future__ import annotations

from models.detect.encoded import decoded
from models.detect.spelled import written
from models.detect.view import View, folded

__all__ = ["View", "views"]


def views(text: str) -> list[View]:
    """The text as given, then those that differ from the one before them, each built on the one before.

    Folded (compatibility forms, look-alikes, invisible characters), decoded (percent, escapes, base64, once; and folded
    again, for what the code hid), written (digits and addresses that were spelled). Length and time are linear.
    """
    steps = [View(text)]
    for step in (folded, decoded, folded, written):
        view = step(steps[-1])
        if view.text != steps[-1].text:
            steps.append(view)
    return steps
