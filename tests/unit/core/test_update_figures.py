"""Figures of a gate as people read them."""

from __future__ import annotations

import pytest

from core.update_figures import figure_texts


@pytest.mark.parametrize(
    ("figures", "texts"),
    [
        ({}, []),
        ({"golden_permille": 417, "golden_permille_min": 900}, ["golden 41.7 %, at least 90.0 %"]),
        ({"golden_permille": 0, "golden_permille_min": None}, ["golden 0.0 %"]),
        ({"latency_us": 120_400, "latency_us_max": 100_000}, ["latency 120.4 ms, at most 100.0 ms"]),
        ({"latency_us_max": 100_000, "cosine_permille_min": 990}, []),
        ({"bytes_fetched": 1_234_567, "bytes_present": 0}, ["fetched 1,234,567 bytes"]),
        ({"of_a_newer_node": 1}, []),
    ],
)
def test_texts(figures: dict[str, int | None], texts: list[str]) -> None:
    assert figure_texts(figures) == texts
