"""`postern-cloud desired`, and where a node belongs: what is wanted of groups and nodes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.fleet.steering import InvalidDesired, Setting, etag_of, read_document
from cloud_sync.services import ControlPlane
from cloud_sync.store.desired import DesiredRow
from cloud_sync.store.nodes import DEFAULT_GROUP
from core.errors import ConfigError

desired_app = typer.Typer(no_args_is_help=True, help="What the control plane wants of nodes.")

Group = Annotated[str, typer.Option(help="The group of nodes.")]
OneNode = Annotated[str, typer.Option(help="One node instead of a group.")]
IfMatch = Annotated[
    str | None, typer.Option(help="Only if its tag, as `desired show` says it, is still this one.")
]


def add_to(app: typer.Typer, node_app: typer.Typer) -> None:
    """The commands, under `desired` and `node`."""
    app.add_typer(desired_app, name="desired")
    node_app.command("move")(node_move)
    node_app.command("label")(node_label)


@desired_app.command("show")
def desired_show(
    directory: Dir, group: Group = DEFAULT_GROUP, node: OneNode = "", as_json: Json = False
) -> None:
    """What was set of a group, or of one node, and its tag."""

    async def look(plane: ControlPlane) -> Setting:
        steering = plane.steering
        return await (steering.setting_of_node(node) if node else steering.setting_of_group(group))

    found = asyncio.run(with_plane(CloudPaths(directory), look))
    document = None if found.document is None else json.loads(found.document)
    shown = "Nothing is set." if document is None else json.dumps(document, indent=2, ensure_ascii=False)
    text = f"{found.scope}, tag {found.etag}\n{shown}"
    answer({"scope": found.scope, "etag": found.etag, "document": document}, as_json, text)


@desired_app.command("set")
def desired_set(
    file: Path,
    directory: Dir,
    group: Group = DEFAULT_GROUP,
    node: OneNode = "",
    if_match: IfMatch = None,
    as_json: Json = False,
) -> None:
    """Want the state written in a file (TOML or JSON) of a group's nodes, or of one node."""
    _change(directory, read_document(_read_text(file)), (group, node), if_match, as_json)


@desired_app.command("unset")
def desired_unset(
    directory: Dir,
    group: Group = DEFAULT_GROUP,
    node: OneNode = "",
    if_match: IfMatch = None,
    as_json: Json = False,
) -> None:
    """Want nothing of a group any more; give one node its group's state again."""
    _change(directory, b"", (group, node), if_match, as_json)


def _change(
    directory: Path, document: bytes, whom: tuple[str, str], expected: str | None, as_json: bool
) -> None:
    group, node = whom

    async def change(plane: ControlPlane) -> DesiredRow:
        if node:
            return await plane.steering.set_for_node(node, document, ACTOR, expected)
        return await plane.steering.set_for_group(group, document, ACTOR, expected)

    row = asyncio.run(with_plane(CloudPaths(directory), change))
    changed = {"generation": row.generation, "scope": row.scope, "hash": row.hash.hex(), "etag": etag_of(row)}
    text = (
        f"Generation {row.generation} is wanted of {row.scope}." if document else f"{row.scope}: taken back."
    )
    answer(changed, as_json, text)


def node_move(
    node: str,
    directory: Dir,
    group: Annotated[str, typer.Option(help="The group it belongs to from now on.")],
    as_json: Json = False,
) -> None:
    """Put a node into a group, whose desired state it gets."""
    moved = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: plane.steering.move(node, group, ACTOR))
    )
    text = f"{node} is in the group {group}." if moved else f"{node} was in the group {group} before."
    answer({"node": node, "group": group, "changed": moved}, as_json, text)


def node_label(
    node: str,
    labels: Annotated[list[str], typer.Argument(help="key=value; key= takes a label away.")],
    directory: Dir,
    as_json: Json = False,
) -> None:
    """Set a node's labels, by which rollouts choose nodes."""
    found = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: plane.steering.label(node, labels, ACTOR))
    )
    text = " ".join(f"{key}={value}" for key, value in found.items()) or "no labels"
    answer({"node": node, "labels": dict(found)}, as_json, f"{node}: {text}")


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {file}.", remedy="Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise InvalidDesired(f"{file} cannot be read as text.") from None
