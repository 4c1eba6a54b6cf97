"""The console's templates: commands that they show exist, and nothing of theirs needs what the policy forbids."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

import edge.web.console
from edge.cli import app
from edge.web.console.health import _FALLBACKS, _SYNC_WORDS

TEMPLATES = sorted((Path(edge.web.console.__file__).parent / "templates").glob("*.html"))


def command_names(command: Any, name: str) -> set[str]:
    if not hasattr(command, "commands"):
        return {name}
    return {
        found for child, one in command.commands.items() for found in command_names(one, f"{name} {child}")
    }


COMMANDS = command_names(typer.main.get_command(app), "postern")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_commands_that_a_page_shows_exist(path: Path) -> None:
    for shown in re.findall(r"postern(?: [a-z][a-z-]*){1,3}", path.read_text(encoding="utf-8")):
        words = shown.split(" ")
        assert any(" ".join(words[:count]) in COMMANDS for count in range(2, 5)), shown


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_inline_script_style_or_unescaped_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|\|\s*safe|javascript:", text)


def test_pages_with_a_change_show_its_command() -> None:
    changing = {
        "api_keys.html",
        "operators.html",
        "ticket.html",
        "documents.html",
        "document.html",
        "write_answer.html",
        "intents.html",
        "learning.html",
    }
    for path in TEMPLATES:
        if path.name in changing:
            assert "same_as(" in path.read_text(encoding="utf-8"), path.name


def test_remedies_name_commands_that_exist() -> None:
    texts = [text for pair in _FALLBACKS.values() for text in pair] + list(_SYNC_WORDS.values())
    for shown in re.findall(r"postern [a-z]+ [a-z][a-z-]*", " ".join(texts)):
        assert shown in COMMANDS, shown
