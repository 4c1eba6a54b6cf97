"""Benches: each prints one JSON document (docs: the contract's "Benches"). They judge the product from outside."""
