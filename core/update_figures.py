"""What a gate measured of an update, and what it asked for, as people read it at the site and in the console. Pure.

Figures are whole numbers by name: shares in thousandths, times in microseconds, sizes in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_SHARES: Final = {
    "golden_permille": "golden questions right",
    "agreement_permille": "agrees with the model before",
}
_SIMILARITIES: Final = {
    "cosine_permille": "mean similarity to its reference",
    "cosine_least_permille": "worst similarity to its reference",
}
_LATENCY: Final = "latency_us"
_BYTES: Final = {"bytes_fetched": "fetched", "bytes_present": "already on the node"}


def figure_texts(figures: Mapping[str, int | None]) -> list[str]:
    """Such as "golden questions right 41.7 %, at least 90.0 %".

    What was not measured is left out, as what has no name here.
    """
    # A model that failed its own gate was held against its reference, which alone has similarities.
    own = any(figures.get(name) is not None for name in _SIMILARITIES)
    titles = _SHARES | _SIMILARITIES | ({"agreement_permille": "agrees with its reference"} if own else {})
    texts = []
    for name, title in titles.items():
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
