"""`postern privacy preview` and `postern privacy policy`: arguments → one call. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ExitCode
from edge.commands.operators import user
from edge.commands.terminal import Json, Site, local_time, operate_on, write

policy = typer.Typer(no_args_is_help=True, help="What text may be handed on from this machine, and for what.")

PolicyFile = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A policy in TOML.")]


def privacy_preview(
    site: Site,
    text: Annotated[
        str,
        typer.Argument(
            help="The text; - reads it from standard input, so that it stands in no list of processes and no history."
        ),
    ],
    policy_file: Annotated[
        Path | None,
        typer.Option("--policy", exists=True, dir_okay=False, help="Try this policy instead of the site's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What of a text would leave, for each purpose, and the line of the policy that decides. Nothing is sent."""
    found = operate_on(
        site,
        "privacy.preview",
        {"text": sys.stdin.read() if text == "-" else text, "policy": _text(policy_file)},
    )
    lines = [
        f"{found['label']}, found: {', '.join(found['entities']) or 'nothing'}, language: "
        f"{found['language'] or 'cannot be told'}, {found['measured']}"
    ]
    for one in found["purposes"]:
        agreed = ", if the customer agrees" if one["consent"] and one["text"] is not None else ""
        lines.append(f"\n{one['purpose']}: {one['action']}{agreed}, because {one['why']}  ({one['rule']})")
        if one["text"] is not None:
            lines.append(f"  {one['text']}")
    lines.append(f"\n{found['steps']}")
    write(found, as_json, "\n".join(lines))


@policy.command("show")
def policy_show(site: Site, as_json: Json = False) -> None:
    """The policy in force, in words."""
    found = operate_on(site, "privacy.policy.show", {})
    if trouble := found["trouble"]:
        lines = [f"No policy is in force, so no text is handed on. {trouble['detail']}", trouble["remedy"]]
    else:
        told = found["policy"]
        lines = [f"{told['name']}, signed {local_time(told['signed_ms'])}, valid until {told['valid_until']}"]
        lines += _words(told)
    if found["cloud"]:
        lines += [
            "",
            "The control plane has tightened this. Only what both permit goes:",
            *_words(found["cloud"]),
        ]
    write(found, as_json, "\n".join(lines))


@policy.command("check")
def policy_check(site: Site, file: PolicyFile = None, as_json: Json = False) -> None:
    """Is a policy one, and in force or stricter than what is? Without a file, the site's own."""
    found = operate_on(site, "privacy.policy.check", {"policy": _text(file)})
    if found["ok"]:
        compared = {
            True: "stricter than what is in force, or the same",
            False: "looser than what is in force",
        }
        said = f" It is {compared[found['stricter']]}." if file and found["stricter"] is not None else ""
        text = "\n".join([f"{found['policy']['name']}: a whole policy.{said}", *_words(found["policy"])])
    else:
        text = f"{found['problem']}\n{found['remedy']}"
    write(found, as_json, text)
    if not found["ok"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@policy.command("sign")
def policy_sign(
    site: Site,
    file: PolicyFile = None,
    pack: Annotated[str | None, typer.Option(help="clinic, bank, public-office or empty.")] = None,
    as_json: Json = False,
) -> None:
    """Sign a policy with the site's own key and put it in force: a file, or one that Postern brings."""
    wanted: dict[str, object] = {"policy": _text(file), "pack": pack, "actor": user()}
    found = operate_on(site, "privacy.policy.sign", wanted)
    write(found, as_json, f"{found['name']} is in force until {found['valid_until']}.")


def _text(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8")


def _words(told: dict[str, Any]) -> list[str]:
    """A policy's paragraphs as lines."""
    lines: list[str] = []
    for paragraph in told["purposes"]:
        lines += ["", paragraph["title"], *(f"  {sentence}" for sentence in paragraph["sentences"])]
    return lines
