"""`postern-cloud registry` and `… publish`: what nodes may install, signed with the organisation's own keys."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.registry.checking import Checked, check, prune
from cloud_sync.registry.packing import pack
from cloud_sync.registry.signing_keys import KeyRing, seal, sealed_there, unseal
from cloud_sync.registry.vendor import NoRegistry, RegistryExists, Standing
from cloud_sync.services import ControlPlane, utc_now
from cloud_sync.store.registry import ArtifactRow
from core.artifacts import KINDS, Kind, Requires
from core.errors import ConfigError, ExitCode
from core.files import write_atomic

registry = typer.Typer(no_args_is_help=True, help="The packages that nodes may install, and who signs them.")

VendorKeys = Annotated[
    Path, typer.Option("--vendor-keys", help="The folder of the organisation's own keys.", file_okay=False)
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the passphrase of the keys; without it, it is asked for."),
]


@registry.command()
def init(
    directory: Dir, vendor_keys: VendorKeys, passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Create both repositories. The keys' folder belongs away from this machine, roots in a safe."""
    if sealed_there(vendor_keys):
        raise RegistryExists(f"{vendor_keys} holds keys already.", remedy="Choose another folder.")
    passphrase = _passphrase(passphrase_file, confirm=True)

    async def create(plane: ControlPlane) -> Standing:
        if await plane.vendor.roots() is not None:
            raise RegistryExists()
        root, targets = KeyRing(), KeyRing()
        created = plane.vendor.create(
            root, targets, lambda: _save(vendor_keys, root, targets, passphrase), ACTOR
        )
        await created
        return await plane.vendor.standing()

    standing = asyncio.run(with_plane(CloudPaths(directory), create))
    text = (
        f"The registry is created. Keep {vendor_keys} away from this machine, with its passphrase apart: "
        f"root.age in a safe, targets.age with whoever publishes.\nVendor root: {standing.vendor_root_sha256}"
    )
    answer(dataclasses.asdict(standing), as_json, text)


@registry.command("list")
def list_packages(directory: Dir, as_json: Json = False) -> None:
    """Every package, and until when the signatures hold."""

    async def look(plane: ControlPlane) -> tuple[tuple[ArtifactRow, ...], Standing]:
        return await plane.vendor.packages(), await plane.vendor.standing()

    rows, standing = asyncio.run(with_plane(CloudPaths(directory), look))
    found = {"packages": [dataclasses.asdict(row) for row in rows], **dataclasses.asdict(standing)}
    answer(found, as_json, _packages_table(rows, standing))


@registry.command()
def verify(directory: Dir, as_json: Json = False) -> None:
    """Check every signature and every byte."""

    async def look(plane: ControlPlane) -> Checked:
        said = typer.echo
        return await check(plane.database, plane.blobs, utc_now(), lambda target: said(target, err=True))

    found = asyncio.run(with_plane(CloudPaths(directory), look))
    text = "\n".join(found.faults) or f"{found.packages} packages, {found.chunks} chunks: all whole."
    answer(dataclasses.asdict(found) | {"ok": not found.faults}, as_json, text)
    if found.faults:
        raise SystemExit(int(ExitCode.CHECK_FAILED))


@registry.command("prune")
def prune_blobs(directory: Dir, as_json: Json = False) -> None:
    """Free the space of packages that were withdrawn a day ago or longer."""
    found = asyncio.run(
        with_plane(CloudPaths(directory), lambda plane: prune(plane.database, plane.blobs, utc_now()))
    )
    answer(dataclasses.asdict(found), as_json, f"{found.blobs} parts with {found.bytes} bytes are removed.")


@registry.command()
def withdraw(
    target: Annotated[str, typer.Argument(help="KIND/NAME/VERSION, as `registry list` shows it.")],
    directory: Dir,
    vendor_keys: VendorKeys,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """No node installs it from now on, whatever it is told; where it runs, it goes on."""
    keys = unseal(vendor_keys, "targets", _passphrase(passphrase_file))
    asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.vendor.withdraw(target, keys, ACTOR)))
    answer({"target": target, "withdrawn": True}, as_json, f"{target} is withdrawn.")


@registry.command()
def refresh(
    directory: Dir, vendor_keys: VendorKeys, passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Sign the list of packages anew, for another year."""
    keys = unseal(vendor_keys, "targets", _passphrase(passphrase_file))

    async def sign(plane: ControlPlane) -> Standing:
        await plane.vendor.refresh(keys, ACTOR)
        return await plane.vendor.standing()

    standing = asyncio.run(with_plane(CloudPaths(directory), sign))
    list_ends, roots_end = standing.targets_expires, standing.root_expires
    text = f"The list of packages holds until {list_ends:%Y-%m-%d}, the roots until {roots_end:%Y-%m-%d}."
    answer(dataclasses.asdict(standing), as_json, text)


@registry.command("rotate-root")
def rotate_root(
    directory: Dir, vendor_keys: VendorKeys, passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """New keys for everything, the organisation's and the control plane's; nodes follow by themselves."""
    passphrase = _passphrase(passphrase_file)
    root, targets = (unseal(vendor_keys, which, passphrase) for which in ("root", "targets"))

    async def rotate(plane: ControlPlane) -> Standing:
        await plane.vendor.rotate(
            root, targets, lambda roots, others: _save(vendor_keys, roots, others, passphrase), ACTOR
        )
        return await plane.vendor.standing()

    standing = asyncio.run(with_plane(CloudPaths(directory), rotate))
    text = "All keys are new. Copy keys/registry.json of this folder to every other replica."
    answer(dataclasses.asdict(standing), as_json, text)


@registry.command()
def root(
    directory: Dir,
    out: Annotated[Path, typer.Option(help="Where to write it.", dir_okay=False)],
    director: Annotated[
        bool, typer.Option("--director", help="The director's instead of the vendor's.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a root to a file, for sites that bring it by hand: `postern trust set`."""

    async def look(plane: ControlPlane) -> None:
        roots = await plane.vendor.roots()
        if roots is None:
            raise NoRegistry()
        write_atomic(out, roots.director if director else roots.vendor)

    asyncio.run(with_plane(CloudPaths(directory), look))
    answer({"file": str(out)}, as_json, f"Wrote {out}.")


def publishing(kind: Kind) -> typer.Typer:
    """`postern-cloud KIND publish`."""
    app = typer.Typer(no_args_is_help=True, help=f"Packages of kind {kind}.")

    @app.callback()
    def _only_one() -> None:
        """Without it, the one command would be called without its name."""

    @app.command()
    def publish(
        source: Annotated[Path, typer.Argument(exists=True, help="A file, or a folder with all its files.")],
        directory: Dir,
        vendor_keys: VendorKeys,
        name: Annotated[str, typer.Option(help="Lower-case letters, digits, dot, hyphen, underscore.")],
        version: Annotated[str, typer.Option(help="Begins with a digit; published once.")],
        requires_software: Annotated[str, typer.Option(help="The oldest release that takes it.")] = "",
        requires_memory_mb: Annotated[int, typer.Option(help="Memory that the machine has at least.")] = 0,
        passphrase_file: PassphraseFile = None,
        as_json: Json = False,
    ) -> None:
        """Cut into chunks, sign, and offer it to rollouts."""
        keys = unseal(vendor_keys, "targets", _passphrase(passphrase_file))
        requires = Requires(software=requires_software, memory_mb=requires_memory_mb)

        async def call(plane: ControlPlane) -> ArtifactRow:
            manifest = await asyncio.to_thread(pack, source, kind, name, version, requires, plane.blobs)
            return await plane.vendor.publish(manifest, keys, ACTOR)

        row = asyncio.run(with_plane(CloudPaths(directory), call))
        answer(dataclasses.asdict(row), as_json, f"{row.target}: {row.size_bytes} bytes are published.")

    return app


def add_to(app: typer.Typer) -> None:
    """All of it, on the command line of the control plane."""
    app.add_typer(registry, name="registry")
    for kind in KINDS:
        app.add_typer(publishing(kind), name=kind)


def _save(folder: Path, root: KeyRing, targets: KeyRing, passphrase: str) -> None:
    seal(folder, "root", root, passphrase)
    seal(folder, "targets", targets, passphrase)


def _passphrase(file: Path | None, confirm: bool = False) -> str:
    if file is None:
        asked: str = typer.prompt(
            "Passphrase of the keys", hide_input=True, confirmation_prompt=confirm, err=True
        )
        return asked
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read.", remedy="Check the path.") from error


def _packages_table(rows: tuple[ArtifactRow, ...], standing: Standing) -> Table:
    title = f"signed until {standing.targets_expires:%Y-%m-%d}"
    if standing.sign_again:
        title += "; half of it is over: postern-cloud registry refresh, or rotate-root"
    table = Table("package", "bytes", "published", "state", title=title, box=None)
    for row in rows:
        state = "" if row.withdrawn_at is None else f"withdrawn {row.withdrawn_at:%Y-%m-%d}"
        table.add_row(row.target, str(row.size_bytes), f"{row.published_at:%Y-%m-%d %H:%M}", state)
    return table
