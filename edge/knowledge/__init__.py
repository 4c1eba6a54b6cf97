"""Documents become chunks, chunks become indexes, indexes give passages."""
