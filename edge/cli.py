"""`postern`: arguments → one call. No logic.

Data goes to standard output, everything else to standard error; `--json` prints one JSON document. Imports sit
inside the commands, so that each starts with what it needs.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ExitCode, PosternError
from core.memory import forbid_core_dumps
from edge.commands.api_keys import api_keys
from edge.commands.audit import audit
from edge.commands.backup import backup, restore
from edge.commands.egress_report import ledger_report
from edge.commands.inbox import inbox
from edge.commands.intents import intents
from edge.commands.kb import kb
from edge.commands.keys import keys
from edge.commands.learning import examples, learn
from edge.commands.ledger import ledger
from edge.commands.ledger_witnesses import add_to as add_witnesses
from edge.commands.operators import operators
from edge.commands.privacy import privacy
from edge.commands.siblings import siblings
from edge.commands.store import store
from edge.commands.terminal import Json, Site, as_lines, operate_on, write
from edge.commands.trust import trust
from edge.commands.unanswered import unanswered
from edge.commands.updates import updates

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The edge node: answers from the site's own documents."
)
models = typer.Typer(no_args_is_help=True, help="Models: build, verify, measure.")
app.add_typer(kb, name="kb")
app.add_typer(models, name="models")
app.add_typer(ledger, name="ledger")
add_witnesses(ledger)
ledger.command("report")(ledger_report)
app.add_typer(inbox, name="inbox")
app.add_typer(operators, name="operators")
app.add_typer(api_keys, name="api-keys")
app.add_typer(keys, name="keys")
app.add_typer(trust, name="trust")
app.add_typer(audit, name="audit")
app.add_typer(unanswered, name="unanswered")
app.add_typer(intents, name="intents")
app.add_typer(privacy, name="privacy")
app.add_typer(examples, name="examples")
app.add_typer(siblings, name="siblings")
app.add_typer(updates, name="updates")
app.add_typer(store, name="store")
app.command("learn")(learn)
app.command("backup")(backup)
app.command("restore")(restore)


def main() -> None:
    """Run the command line; errors become a sentence, what to do, and a stable exit status."""
    forbid_core_dumps()  # a command may hold what the node holds
    try:
        app(standalone_mode=True)
    except PosternError as error:
        _print_error(error)
        sys.exit(int(error.exit_code))


@app.command()
def init(
    site: Site,
    template: Annotated[str, typer.Option(help="clinic, bank, or empty.")] = "empty",
    as_json: Json = False,
) -> None:
    """Make a new site folder: settings, keys, store; a template brings its documents and intents."""
    from edge.config import site_paths
    from edge.site_setup import create_site, documents_by_audience

    paths = site_paths(site)
    create_site(paths, template)
    reports = [
        operate_on(site, "kb.add", {"paths": [str(folder)], "audience": audience.value})
        for folder, audience in documents_by_audience(paths)
    ]
    added = sum(report["added"] for report in reports)
    trained: dict[str, Any] = {"intents": 0}
    if paths.intent_examples.exists():
        trained = operate_on(site, "intents.train", {"path": str(paths.intent_examples)})
    write(
        {
            "site": str(paths.root),
            "documents": added,
            "intents": trained["intents"],
            "recovery_key": str(paths.recovery_key),
        },
        as_json,
        f"Made {paths.root} with {added} documents and {trained['intents']} intents.\n"
        f"Print {paths.recovery_key}, lock it away, remove the file: it alone brings the site back elsewhere.\n"
        f"Start it: postern run --site {paths.root}",
    )


@app.command()
def run(site: Site) -> None:
    """Run the node: supervises `postern node`, `worker` and `courier`."""
    from edge.processes import run_all

    run_all(site)


@app.command()
def node(site: Site) -> None:
    """The node process (normally started by `run` or systemd)."""
    from edge.processes import run_node

    run_node(site)


@app.command()
def worker(site: Site) -> None:
    """The worker process: the language model (normally started by `run` or systemd)."""
    from edge.processes import run_worker

    run_worker(site)


@app.command()
def courier(site: Site) -> None:
    """The courier process: the only way out (normally started by `run` or systemd)."""
    from edge.processes import run_courier

    run_courier(site)


@app.command()
def demo(
    state: Annotated[
        Path | None,
        typer.Option(help="Where the demo keeps its files.", show_default="build/demo, or build/demo-chaos"),
    ] = None,
    http: Annotated[int, typer.Option(help="Port of the kiosk page.")] = 8080,
    cloud_http: Annotated[int, typer.Option(help="Port of the control plane's console.")] = 8090,
    template: Annotated[
        str | None, typer.Option(help="The sample site of a new demo: clinic (default), or bank.")
    ] = None,
    chaos: Annotated[
        bool,
        typer.Option(
            "--chaos", help="Two nodes and invented customers; then a spike, a dead cloud, a dead node."
        ),
    ] = False,
) -> None:
    """A control plane and an edge node with a sample site, on this machine. Ctrl-C stops all."""
    import logging

    from core.logs import log_to_stderr
    from edge.demo.demo import Demo

    log_to_stderr("demo", logging.WARNING)
    folder = state or Path("build/demo-chaos" if chaos else "build/demo")
    asyncio.run(Demo(folder.resolve(), http, cloud_http, template, chaos).run())


@app.command()
def ask(site: Site, text: str, as_json: Json = False) -> None:
    """Ask one question."""
    answer = operate_on(site, "ask", {"text": text})
    sources = "".join(f"\n  {c['title']} › {c['section']}: “{c['quote']}”" for c in answer["citations"])
    choices = "".join(f"\n  {choice['label']}" for choice in answer["choices"])
    write(answer, as_json, answer["answer"] + choices + (f"\n\nSources:{sources}" if sources else ""))


@app.command()
def status(site: Site, as_json: Json = False) -> None:
    """How the site is."""
    found = operate_on(site, "status", {})
    write(found, as_json, as_lines(found))


@app.command()
def doctor(site: Site, as_json: Json = False) -> None:
    """Is this machine and this site fit to serve?"""
    from edge.config import site_paths
    from edge.doctor import examine

    found = examine(site_paths(site))
    marks = {"error": "NOT OK", "warning": "look at"}
    lines = [
        f"{'ok' if c.ok else marks[c.severity]:8}{c.id:28} {c.found}"
        + ("" if c.ok else f"\n        {c.remedy}")
        for c in found.checks
    ]
    write(asdict(found), as_json, "\n".join(lines))
    if not found.ok:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
def enroll(
    site: Site,
    cloud: Annotated[str, typer.Option(help="HOST:PORT of the control plane's enrolment.")],
    code: Annotated[str, typer.Option(help="The one-time code.")],
    as_json: Json = False,
) -> None:
    """Get this node its certificate from the control plane."""
    from edge.config import site_paths
    from edge.sync.enrolment import enrol

    enrolment = asyncio.run(enrol(site_paths(site), cloud, code))
    found = {"node_id": enrolment.node_id, "site": enrolment.site_name, "sync": enrolment.sync_endpoint}
    write(found, as_json, f"Enrolled as {enrolment.node_id}.")


@models.command("list")
def models_list(as_json: Json = False) -> None:
    """Every model of the catalogue, and whether it may serve here."""
    from models.catalog import models_dir
    from models.operations import list_models

    rows = [asdict(row) for row in list_models(models_dir())]
    write(
        rows,
        as_json,
        "\n".join(
            f"{r['model']:24} {r['kind']:8} {r['licence']:12} {r['state']}  {r['placement']}" for r in rows
        ),
    )


@models.command("build")
def models_build(as_json: Json = False) -> None:
    """Build what is missing, and let it pass its golden set on this machine."""
    from models.catalog import models_dir
    from models.operations import build_all
    from models.progress import on_terminal

    with on_terminal() as report:
        rows = [asdict(row) for row in build_all(models_dir(), report)]
    write(rows, as_json, "\n".join(as_lines(row) for row in rows))


@models.command("import")
def models_import(
    folder: Annotated[Path, typer.Argument(help="A folder with model.toml and the files that it lists.")],
    as_json: Json = False,
) -> None:
    """Take in a model from a folder, without a network, and let it pass its golden set on this machine."""
    from models.catalog import models_dir
    from models.importing import import_model
    from models.progress import on_terminal

    with on_terminal() as report:
        found = asdict(import_model(folder, models_dir(), report))
    write(found, as_json, as_lines(found))


@models.command("tune")
def models_tune(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Time to measure each encoder.")] = 40,
    as_json: Json = False,
) -> None:
    """Measure where the encoder runs best on this machine, and place it there from the next start on."""
    from models.catalog import models_dir
    from models.operations import tune
    from models.placement import as_table
    from models.progress import on_terminal

    with on_terminal() as report:
        placements = tune(models_dir(), seconds, report)
    write(
        [placement.model_dump(mode="json") for placement in placements],
        as_json,
        "\n\n".join(map(as_table, placements)),
    )


@models.command("use")
def models_use(
    site: Site,
    name: str,
    previous: Annotated[
        bool, typer.Option("--previous", help="Go back to the version that served before the current one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a model of the catalogue serve at a site: at once where the node runs, without refusing a question."""
    from edge.models_use import use_model
    from models.progress import on_terminal

    with on_terminal() as report:
        found = use_model(site, name, previous=previous, report=report)
    write(found, as_json, as_lines(found))


@models.command("verify")
def models_verify(as_json: Json = False) -> None:
    """Hash every model's files against what passed the gate here."""
    from models.catalog import models_dir
    from models.operations import verify

    rows = [asdict(row) for row in verify(models_dir())]
    write(rows, as_json, "\n".join(f"{r['model']:24} {r['detail']} {r['remedy']}" for r in rows))
    if not all(row["ok"] for row in rows):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@models.command("bench")
def models_bench(as_json: Json = False) -> None:
    """Speed of the encoder on each runtime of this machine."""
    from models.catalog import models_dir
    from models.operations import bench

    rows = [asdict(row) for row in bench(models_dir())]
    text = "\n".join(
        f"{r['model']:24} {r['runtime']:12} batch {r['batch_rows']:3}  {r['texts_per_s']:8.0f} texts/s"
        for r in rows
    )
    write(rows, as_json, text)


def _print_error(error: PosternError) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]{error.title}[/]", markup=True)
    if error.detail != error.title:
        console.print(error.detail, markup=False)
    console.print(error.remedy, markup=False, style="dim")


if __name__ == "__main__":
    main()
