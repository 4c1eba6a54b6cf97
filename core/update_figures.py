"""What a gate measured of an update, and what it asked for, as people read it at the site and in the console. Pure.

Figures are whole numbers by name: shares in thousandths, times in microseconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_SHARES: Final = {
    "golden_permille": "golden",
    "agreement_permille": "agreement",
    "cosine_permille": "cosine",
    "cosine_least_permille": "least cosine",
}
_LATENCY: Final = "latency_us"
_BYTES: Final = {"bytes_fetched": "fetched", "bytes_present": "here before"}


def figure_texts(figures: Mapping[str, int | None]) -> list[str]:
    """Such as "golden 41.7 %, at least 90.0 %"; what was not measured is left out, as what has no name here."""
    texts = []
    for name, title in _SHARES.items():
        if (value := figures.get(name)) is not None:
            texts.append(
                f"{title} {_percent(value)}{_bound('at least', figures.get(f'{name}_min'), _percent)}"
            )
    if (value := figures.get(_LATENCY)) is not None:
        texts.append(f"latency {_ms(value)}{_bound('at most', figures.get(f'{_LATENCY}_max'), _ms)}")
    texts += [f"{title} {size:,} bytes" for name, title in _BYTES.items() if (size := figures.get(name))]
    return texts


def _bound(word: str, value: int | None, said: Callable[[int], str]) -> str:
    return "" if value is None else f", {word} {said(value)}"


def _percent(permille: int) -> str:
    return f"{permille / 10:.1f} %"


def _ms(us: int) -> str:
    return f"{us / 1000:.1f} ms"
