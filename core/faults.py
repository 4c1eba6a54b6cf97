"""What pydantic finds wrong with settings and arguments, in words for whoever typed them; never what was typed."""

from __future__ import annotations

from typing import Final

from pydantic_core import ErrorDetails

_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known; look at its spelling, and at the documentation of this release",
    "string_too_short": "needs {min_length} or more characters",
    "string_too_long": "may have at most {max_length} characters",
    "string_type": "must be a text, in quotes",
    "path_type": "must be a path, in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list, in square brackets",
    "tuple_type": "must be a list, in square brackets",
    "model_type": "is a section with settings of its own, not a value",
    "dict_type": "is a section with settings of its own, not a value",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
}
"""By pydantic's name of the fault; of all else its own words."""


def in_words(fault: ErrorDetails) -> str:
    """One finding, as "http.port: must be a whole number"; of all together, only what is wrong."""
    where = ".".join(map(str, fault["loc"]))
    said = _WORDS.get(fault["type"])
    what = said.format(**fault.get("ctx", {})) if said else fault["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
