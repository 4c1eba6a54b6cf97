"""What a control plane may ask of a node is codes and numbers: no text that a machine would run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from edge.sync.desired import DesiredDocument

# Text that is not bound to a pattern, and why: people read it, or a validator takes it apart (tests of the policy).
READ_BY_PEOPLE = {"notes", "Policy.name"}
TAKEN_APART = {"PurposeRules.hours"}
RUNNABLE = re.compile(r"command|cmd|shell|script|exec|eval|argv|hook|sql|url|code")


def _leaves(schema: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every string of a schema, by the field that holds it."""
    if isinstance(schema, list):
        for each in schema:
            yield from _leaves(each, name)
    elif isinstance(schema, dict):
        if schema.get("type") == "string":
            yield name, schema
        for key, value in schema.items():
            if key in {"properties", "$defs"}:
                for child, inner in value.items():
                    yield from _leaves(inner, child if not name or key == "$defs" else f"{name}.{child}")
            elif isinstance(value, dict | list):
                yield from _leaves(value, name)


def test_every_text_is_a_code_of_a_known_form() -> None:
    found = dict(_leaves(DesiredDocument.model_json_schema(), ""))
    assert {"Update.target", "answer_mode", "notes"} <= set(found)
    free = {
        name for name, schema in found.items() if not {"pattern", "enum", "const", "format"} & set(schema)
    }
    assert free == READ_BY_PEOPLE | TAKEN_APART
    assert all(found[name]["maxLength"] <= 400 for name in READ_BY_PEOPLE)


def test_no_field_is_named_after_something_that_runs() -> None:
    assert [
        name for name, _ in _leaves(DesiredDocument.model_json_schema(), "") if RUNNABLE.search(name.lower())
    ] == []


def test_patterns_let_nothing_through_that_a_shell_would_read() -> None:
    for name, schema in _leaves(DesiredDocument.model_json_schema(), ""):
        if "pattern" in schema:
            for hostile in (
                "a b",
                "$(id)",
                "`id`",
                "a;id",
                "a|id",
                "a&id",
                "a>b",
                "a\nb",
                "../a",
                "-rf",
                "'a'",
                '"a"',
            ):
                assert not re.search(schema["pattern"], hostile), (name, hostile)
