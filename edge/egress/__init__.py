"""The one way out: guard, envelope, courier and its ledger."""
