"""The one way out: guard, envelope, ledger, and the courier process that alone talks to the cloud."""
