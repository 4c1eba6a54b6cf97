"""Sentence frames: text with slots, `frames/<language code>/<shape>.txt`, a line a frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.recipes.personal.slots import KNOWN

FRAMES = Path(__file__).parent / "frames"
SHAPES = ("chat", "spoken", "form", "letter", "transcript", "log", "json", "csv", "prose", "plain")
_SLOT = re.compile(r"\{(~?[A-Za-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame in parts: text at even places, names of slots at odd ones."""

    text: str
    language: str
    shape: str
    parts: tuple[str, ...]


def parse(line: str, language: str, shape: str) -> Frame:
    """A frame from its line; a ValueError where it names a slot that there is not, or repeats nothing."""
    parts = tuple(_SLOT.split(line.replace("\\n", "\n")))
    for slot in parts[1::2]:
        if slot.removeprefix("~") not in KNOWN:
            raise ValueError(f"unknown slot {slot} in the frame: {line}")
        if shape == "plain" and not slot.islower():
            raise ValueError(f"a slot of personal data in a plain frame: {line}")
    return Frame(line, language, shape, parts)


@cache
def frames() -> Mapping[tuple[str, str], tuple[Frame, ...]]:
    """Every frame by language code and shape."""
    found: dict[tuple[str, str], list[Frame]] = {}
    for path in sorted(FRAMES.glob("*/*.txt")):
        key = (path.parent.name, path.stem.split("_")[0])
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.strip() and not line.startswith("#")]
        found.setdefault(key, []).extend(parse(line, *key) for line in kept)
    return {key: tuple(of_key) for key, of_key in found.items()}
