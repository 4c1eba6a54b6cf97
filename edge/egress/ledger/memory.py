"""What the courier remembers of the control plane's witness, beside the ledger that it signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEMORY_FILE: Final = "witness.json"
MEMORY_SUFFIX: Final = ".json"
"""Of a ledger that was set aside, it lies beside it under its name."""


@dataclass(frozen=True)
class Memory:
    """What is known of the witness from one start to the next."""

    vkey: str = ""
    size: int = 0
    """Leaves that it signed last."""
    root: str = ""
    """Over them, in hexadecimal."""
    signed_s: int = 0
    """When, by its clock: Unix time."""
    origin: str = ""
    """Of which ledger; what is known of another one means nothing."""
    refused: str = ""
    """Why it does not sign any more."""


def recall(place: Path) -> Memory:
    """What cannot be read is as if nothing had been signed: the witness knows."""
    try:
        return Memory(**json.loads(place.read_bytes()))
    except (OSError, ValueError, TypeError):
        return Memory()
