"""What the kernel counted, held against what the ledger says."""
