"""From a question and the passages found for it to an answer of exact quotes, or to saying why there is none."""
