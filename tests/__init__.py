"""Tests of Postern, by tier: unit, contract, integration, browser, chaos; benches beside them."""
