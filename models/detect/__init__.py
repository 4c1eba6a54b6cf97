"""Text → spans that are personal. Today: patterns checked by validators; the trained tagger comes beside them."""
