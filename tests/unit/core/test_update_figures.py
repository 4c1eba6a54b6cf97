"""Figures of a gate as people read them."""

from __future__ import annotations

import pytest

from core.update_figures import figure_texts


@pytest.mark.parametrize(
    ("figures", "texts"),
    [
        ({}, []),
        (
            {"golden_permille": 417, "golden_permille_min": 900},
            ["golden questions right 41.7 %, at least 90.0 %"],
        ),
        ({"golden_permille": 0, "golden_permille_min": None}, ["golden questions right 0.0 %"]),
        ({"latency_us": 120_400, "latency_us_max": 100_000}, ["latency 120.4 ms, at most 100.0 ms"]),
        ({"latency_us_max": 100_000, "cosine_permille_min": 990}, []),
        ({"bytes_fetched": 1_234_567, "bytes_present": 0}, ["fetched 1,234,567 bytes"]),
        ({"bytes_present": 1_234}, ["already on the node 1,234 bytes"]),
        ({"agreement_permille": 417}, ["agrees with the model before 41.7 %"]),
        (
            {"agreement_permille": 417, "cosine_permille": 990, "cosine_least_permille": 800},
            [
                "agrees with its reference 41.7 %",
                "mean similarity to its reference 99.0 %",
                "worst similarity to its reference 80.0 %",
            ],
        ),
        ({"of_a_newer_node": 1}, []),
    ],
)
def test_texts(figures: dict[str, int | None], texts: list[str]) -> None:
    assert figure_texts(figures) == texts
