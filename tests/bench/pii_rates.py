"""Miss rates by language and type, as models/detect/rates.py reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import models.detect
from models.detect import rates

DATA = "sentences marked by hand that nothing was trained on (tests/bench/golden/personal)"


def write(types: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    """`types`: of each language and type how many values were missed, of how many. The file's own comment stays."""
    path = Path(models.detect.__path__[0], rates.SHIPPED)
    comment = re.match(r"(?:#.*\n)*", path.read_text(encoding="utf-8"))
    lines = [comment[0] if comment else "", f"measured_on = {datetime.now(UTC).date()}", f'data = "{DATA}"']
    for language, counts in types.items():
        lines += ["", f"[language.{language}]"]
        lines += [f"{kind} = {{ missed = {missed}, of = {of} }}" for kind, (missed, of) in counts.items()]
    text = "\n".join(lines) + "\n"
    rates.parse(text)
    path.write_text(text, encoding="utf-8")
