"""The two indexes over the chunks, both in memory only and built from the store's rows: words, and vectors."""
