"""The documentation is under test: commands, settings, columns, routes, errors and links are those of the code.

`python -m tests.unit.test_docs` writes the tables of columns and of exits in docs/privacy.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from cloud_sync.config import CloudSettings, ProviderSettings, WebhookSettings
from edge.config import Config
from edge.egress import exits
from edge.egress.records import schemas
from edge.store.counters import CELLS
from edge.store.schema import KEY_TABLES, TABLES
from edge.web.console.rules import PREFIX, RULES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))
# A record of a decision is read in one go.
ADR_LINES_MAX = 60
ADR_PARTS = ("Status: ", "## Context", "## Options", "## Decision", "## What it costs us")
COLUMNS_BEGIN = "<!-- columns: begin (python -m tests.unit.test_docs writes this) -->"
COLUMNS_END = "<!-- columns: end -->"
EXITS_BEGIN = "<!-- exits: begin (python -m tests.unit.test_docs writes this) -->"
EXITS_END = "<!-- exits: end -->"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under `heading`, up to the next one of its level."""
    level = heading.partition(" ")[0]
    return text.split(f"{heading}\n", 1)[1].split(f"\n{level} ", 1)[0]


# --- links ---


def anchor(heading: str) -> str:
    """A heading as the address that a page of the repository gives it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def relative_links(text: str) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in relative_links(path.read_text(encoding="utf-8")):
        target, _, mark = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists():
            broken.append(link)
        elif mark:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            if mark not in map(anchor, headings):
                broken.append(link)
    assert not broken


def test_code_that_is_named_exists() -> None:
    folders = "edge|cloud_sync|core|models|protos|firmware_scripts|tests|docs"
    missing = set()
    for path in PAGES:
        for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", path.read_text(encoding="utf-8")):
            if not (ROOT / name).exists():
                missing.add(f"{path.name}: {name}")
    assert not missing


def test_tests_that_are_named_exist() -> None:
    missing = set()
    for path in PAGES:
        for file, name in re.findall(r"`(tests/[\w./-]+)::(\w+)`", path.read_text(encoding="utf-8")):
            code = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
            if not re.search(rf"^(?:async )?def {name}\(", code, re.MULTILINE):
                missing.add(f"{path.name}: {file}::{name}")
    assert not missing


def test_every_threat_is_closed_by_something_that_was_tried_or_named_as_open() -> None:
    rows = [line.strip("|").split("|") for line in page("threat-model.md").splitlines() if line[:2] == "| "]
    threats = [row for row in rows if row[0].strip() not in ("tried", "---")]
    assert threats
    for row in threats:
        _, _, tried, ends = row
        closed, opened = ends.strip().startswith("closed"), "**open**" in ends
        assert closed or opened, row
        assert not closed or re.search(r"`tests/|by hand: ", tried), row


# --- settings ---


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each setting's name and its default as it is written in TOML."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", as_toml(field.default)


def as_toml(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, SecretStr):
        return f'`"{value.get_secret_value()}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[]`" if not value else f"`{list(value)}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


@pytest.mark.parametrize(
    ("model", "heading"),
    [
        (Config, "## Settings of a site: `site.toml`"),
        (CloudSettings, "## Settings of a control plane: `cloud.toml`"),
        (ProviderSettings, "## Who writes answers for nodes"),
        (WebhookSettings, "### Who is told"),
    ],
    ids=["site.toml", "cloud.toml", "providers", "webhooks"],
)
def test_every_setting_is_explained_with_its_default(model: type[BaseModel], heading: str) -> None:
    rows = dict(
        re.findall(r"^\| `([\w.]+)` \| (.*?) \|", section(page("operations.md"), heading), re.MULTILINE)
    )
    assert rows == dict(settings(model))


# --- privacy ---


def columns_table() -> str:
    """Every column of the store with its tag, as Markdown."""
    lines = ["| table | column | kind | for what | kept | export |", "| --- | --- | --- | --- | --- | --- |"]
    for table, tags in (TABLES | KEY_TABLES).items():
        for column, tag in tags.columns.items():
            exported = "yes" if tag.exported else "no"
            lines.append(
                f"| `{table}` | `{column}` | {tag.kind} | {tag.purpose} | {tag.retention} | {exported} |"
            )
    return "\n".join(lines)


def test_every_column_is_listed_with_its_tag() -> None:
    written = page("privacy.md").split(COLUMNS_BEGIN)[1].split(COLUMNS_END)[0].strip()
    assert written == columns_table(), "run: python -m tests.unit.test_docs"


def test_every_exit_is_listed() -> None:
    written = page("privacy.md").split(EXITS_BEGIN)[1].split(EXITS_END)[0].strip()
    assert f"The ledger is {exits.CLAIM}, and claims no more" in page("privacy.md")
    assert written == exits.table(), "run: python -m tests.unit.test_docs"


def test_everything_that_may_leave_is_listed() -> None:
    text = section(page("privacy.md"), "## What leaves")
    frames = (
        schemas.Hello,
        schemas.UploadOpen,
        schemas.Heartbeat,
        schemas.ReportedState,
        schemas.ModelState,
        schemas.Row,
        schemas.Batch,
    )
    named = {name for schema in (*frames, *schemas.RECORDS.values()) for name in schema.model_fields}
    named |= {*schemas.RECORDS, *CELLS}
    assert not [name for name in sorted(named) if f"`{name}`" not in text]


# --- errors ---


def error_codes() -> Iterator[str]:
    """The codes of all error classes in the code."""
    for package in ("edge", "cloud_sync", "core", "models"):
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if "code = " in source or "code: str = " in source:
                yield from re.findall(r'^    code(?:: str)? = "([a-z_]+)"$', source, re.MULTILINE)


def test_every_error_says_what_to_do() -> None:
    text = section(page("operations.md"), "## When something goes wrong")
    assert not sorted({code for code in error_codes() if f"`{code}`" not in text})


# --- routes ---


def edge_routes() -> Iterator[str]:
    """`METHOD /path` of every route that edge/web adds, read from its source."""
    for path in sorted((ROOT / "edge" / "web").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        base = re.search(r'^ +base = "([^"]+)"$', source, re.MULTILINE)
        for method, text in re.findall(r'web\.(get|post|put|patch|delete)\((base|f?"[^"]*")', source):
            route = base[1] if base and text == "base" else text.removeprefix("f").strip('"')
            if base:
                route = route.replace("{base}", base[1]).replace("{{", "{").replace("}}", "}")
            yield f"{method.upper()} {route}"
    yield f"GET {PREFIX}"
    yield from (f"{rule.method} {PREFIX}{rule.path}" for rule in RULES)


def cloud_routes() -> Iterator[str]:
    for file in (*sorted((ROOT / "cloud_sync/console").glob("*.py")), ROOT / "core/webshell/shell.py"):
        source = file.read_text(encoding="utf-8")
        for method, path in re.findall(r'(?:add_|web\.|\(")(get|post|GET|POST)(?:\("|", ")(/[^"]*)"', source):
            if path != "/break-glass":  # only the site has a sealed account
                yield f"{method.upper()} {path}"


def test_every_route_is_listed() -> None:
    text = page("api.md")
    customers, control_plane = text.split("## The control plane's HTTP", 1)
    found = list(edge_routes())
    assert len(found) >= 10
    assert not [route for route in found if f"`{route}`" not in customers]
    assert not [route for route in cloud_routes() if f"`{route}`" not in control_plane]


def test_no_route_is_listed_that_is_not_there() -> None:
    listed = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`…]*)`", page("api.md")))
    assert listed <= {*edge_routes(), *cloud_routes(), "POST /operations/{name}"}


# --- commands ---


def commands(app: typer.Typer, name: str) -> Iterator[tuple[str, set[str]]]:
    """Every command of a command line with its options."""
    yield from _walk(typer.main.get_command(app), name)


def _walk(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    if hasattr(command, "commands"):
        for child, found in command.commands.items():
            yield from _walk(found, f"{name} {child}")
    else:
        options = {text for parameter in command.params for text in parameter.opts if text.startswith("-")}
        yield name, options


@pytest.fixture(scope="module")
def all_commands() -> dict[str, set[str]]:
    from cloud_sync.cli import app as cloud
    from edge.cli import app as edge

    return dict([*commands(edge, "postern"), *commands(cloud, "postern-cloud")])


def test_every_command_is_listed_with_its_options(all_commands: dict[str, set[str]]) -> None:
    lines = re.findall(r"^\| `(postern[^`]*)`", page("api.md"), re.MULTILINE)
    listed = {re.match(r"[a-z -]*[a-z](?= |$)", line.split(" --")[0])[0]: line for line in lines}  # type: ignore[index]
    assert listed.keys() == all_commands.keys()
    for name, options in all_commands.items():
        # An option is written in one form; -k stands for itself.
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", listed[name].removeprefix(name))) == options, name


def test_commands_in_the_pages_are_real(all_commands: dict[str, set[str]]) -> None:
    """A command that is typed, with an option or a file, exists; what is only named may be called missing."""
    for path in (ROOT / "README.md", DOCS / "operations.md"):
        typed = re.findall(
            r"(?:\.venv/bin/|`)(postern(?:-cloud)? [^`\n]*--[^`\n]*)", path.read_text(encoding="utf-8")
        )
        assert typed
        for line in typed:
            name = next((known for known in all_commands if re.match(rf"{known}(?![a-z-])", line)), None)
            assert name, f"{path.name}: {line}"
            used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", line))
            assert used <= all_commands[name], f"{path.name}: {line}"


def test_make_targets_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in PAGES:
        named = set(re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8")))
        assert named <= targets, path.name


# --- decisions ---


def test_decisions_are_numbered_without_a_gap_and_whole() -> None:
    paths = sorted((DOCS / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert re.match(rf"# {int(path.name[:4])}\. \S", text), path.name
        places = [text.find(part) for part in ADR_PARTS]
        assert -1 not in places, path.name
        assert places == sorted(places), path.name
        assert len(text.splitlines()) <= ADR_LINES_MAX, f"{path.name} is longer than a page"


def test_changelog_has_the_release() -> None:
    from core.version import VERSION

    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def write_tables() -> None:
    """Put today's tables of columns and of exits into docs/privacy.md."""
    text = page("privacy.md")
    for begin, end, table in (
        (COLUMNS_BEGIN, COLUMNS_END, columns_table()),
        (EXITS_BEGIN, EXITS_END, exits.table()),
    ):
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    (DOCS / "privacy.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_tables()
