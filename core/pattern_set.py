"""Many patterns looked for in a text in one pass, in time that grows with the text's length and nothing else.

RE2 makes one automaton of all of them (R. Cox, "Regular Expression Matching in the Wild", 2010), where Python's `re`
begins at each letter for each pattern. No look-around and no back-references; `\\b`, `\\d` and `\\w` are ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable

import re2


class PatternSet:
    """Compiled once; thread-safe."""

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        """Raises re2.error for a pattern that RE2 cannot read."""
        options = re2.Options()
        options.case_sensitive = not ignore_case
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def found(self, text: str) -> list[int]:
        """The numbers of the patterns that stand in `text`, in any order."""
        # Half of a surrogate pair is no text, but somebody may send it.
        return self._set.Match(text.encode(errors="replace")) or []

    def bits(self, text: str) -> int:
        """The same, as bits."""
        result = 0
        for number in self.found(text):
            result |= 1 << number
        return result
