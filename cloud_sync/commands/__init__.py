"""`postern-cloud`, by theme: arguments → one call on the services → one answer on stdout."""
