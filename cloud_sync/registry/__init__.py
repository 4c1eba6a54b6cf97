"""What nodes may install: content, and the signed metadata (TUF) that says what exists and who runs it."""
