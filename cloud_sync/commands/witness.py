"""`postern-cloud witness`: arguments → one call → one answer. No logic."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from cloud_sync.commands.command_line import Dir, Json, answer, write_line
from cloud_sync.config import CloudPaths
from cloud_sync.services import utc_now
from cloud_sync.witness.own import OwnWitness, create_key, own_witness
from cloud_sync.witness.request import read_request
from cloud_sync.witness.rules import Conflict, Refusal
from cloud_sync.witness.signing import load_witness_key
from core.errors import ConfigError, ExitCode, PosternError
from core.files import write_atomic
from core.logs import log_to_stderr

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="Signs that ledgers of nodes only grew.")
Folder = Annotated[
    Path, typer.Option("--dir", help="The witness's folder; a control plane's for its own key.")
]


class LedgerRefused(PosternError):
    """The witness does not sign a checkpoint."""

    code = "ledger_refused"
    title = "The witness does not sign this ledger"
    remedy = "Keep the file, and see docs/operations.md, Witnesses: what each reason means."
    exit_code = ExitCode.REFUSED


@app.command()
def key(
    directory: Dir,
    new: Annotated[bool, typer.Option("--new", help="Make one; where there is none.")] = False,
    as_json: Json = False,
) -> None:
    """Show by which key the witness's signatures are checked."""
    paths = CloudPaths(directory)
    if new:
        create_key(paths)
    vkey = load_witness_key(paths.witness_key).vkey
    answer({"vkey": vkey}, as_json, vkey)


@app.command("add-log")
def add_log(vkey: str, directory: Folder, as_json: Json = False) -> None:
    """Trust a ledger's key, as `postern ledger key` shows it at the node."""

    name = asyncio.run(_with(directory, lambda witness: witness.add_log(vkey)))
    answer({"log": name}, as_json, f"{name} is signed from now on.")


@app.command("list")
def list_(directory: Folder, as_json: Json = False) -> None:
    """Ledgers that are known, and what was refused of them."""

    logs, refusals = asyncio.run(_with(directory, lambda witness: witness.logs()))
    table = Table("ledger", "entries signed", "last", "refused", box=None)
    for one in logs:
        refused = ", ".join(f"{it.reason} \u00d7{it.count}" for it in refusals if it.origin == one.origin)
        last = f"{one.witnessed_at:%Y-%m-%d %H:%M UTC}" if one.witnessed_at else "never"
        table.add_row(one.origin, str(one.size), last, refused)
    document = {
        "logs": [
            {"log": one.origin, "size": one.size, "root": one.root.hex(), "witnessed_at": one.witnessed_at}
            for one in logs
        ],
        "refused": [dataclasses.asdict(one) | {"checkpoint": one.checkpoint.decode()} for one in refusals],
    }
    answer(document, as_json, table)


@app.command()
def run(
    directory: Folder,
    listen: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:8095",
) -> None:
    """Serve POST /add-checkpoint until interrupted; the first line on stdout says where."""
    log_to_stderr("witness")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError("--listen is HOST:PORT.", remedy="Write it as 0.0.0.0:8095.")
    asyncio.run(_serve(CloudPaths(directory), host.strip("[]"), int(port)))


@app.command()
def cosign(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What the node wrote.")],
    directory: Folder,
    as_json: Json = False,
) -> None:
    """Sign what `postern ledger request` wrote at a node, into FILE.cosigned beside it."""
    body = file.read_bytes()

    async def submit(witness: OwnWitness) -> str:
        found = await witness.submit(body)
        if isinstance(found.decision, Conflict):
            remedy = f"Write the file anew: postern ledger request FILE --from {found.size}."
            raise LedgerRefused(f"The proof must begin with {found.size} entries.", remedy=remedy)
        if isinstance(found.decision, Refusal):
            raise LedgerRefused(f"{found.decision.reason}; {found.size} entries were signed before.")
        return found.line

    signed = read_request(body).note + asyncio.run(_with(directory, submit)).encode()
    out = file.with_name(file.name + ".cosigned")
    write_atomic(out, signed)
    answer(
        {"file": str(out)}, as_json, f"Wrote {out}. At the node: postern ledger cosign {out.name} --key VKEY"
    )


async def _with(directory: Path, call: Callable[[OwnWitness], Awaitable[T]]) -> T:
    async with own_witness(CloudPaths(directory), utc_now) as witness:
        return await call(witness)


async def _serve(paths: CloudPaths, host: str, port: int) -> None:
    # Here, because the web server takes time that no other command needs.
    from aiohttp import web

    from cloud_sync.app import stop_on_signals
    from cloud_sync.witness.http import witness_app

    stop = asyncio.Event()
    stop_on_signals(stop)
    async with own_witness(paths, utc_now) as witness:
        runner = web.AppRunner(witness_app(witness), shutdown_timeout=1.0)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            write_line({"event": "ready", "url": f"http://{host}:{runner.addresses[0][1]}/"})
            await stop.wait()
        except OSError as error:
            remedy = "Stop whatever listens there, or choose another port."
            raise ConfigError(f"The witness cannot listen on {host}:{port}.", remedy=remedy) from error
        finally:
            await runner.cleanup()
