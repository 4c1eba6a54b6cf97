"""Personal values that have a form: which shapes are looked at, what speaks for each, and how sure that makes us."""
