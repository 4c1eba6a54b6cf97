"""Benches: each prints one JSON document (docs: the contract's "Benches"). They judge the product from outside."""

from __future__ import annotations

# First of all: it sets how many threads NumPy takes, and a figure of a bench should be the product's.
import edge as edge
