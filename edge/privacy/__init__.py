"""Pseudonyms, policy, consent, keys, erasure, retention, export."""
