"""What is made of the ledger for people: receipts, the weekly report, a check."""
