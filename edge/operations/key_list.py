"""Every key of a site, in words: what it opens, who holds it, when it ends, what to do if it is lost or stolen.

Kept together on purpose: whoever adds a key adds its row. Of each file only its presence and a certificate's end are
read, never a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from edge.config import Config, SitePaths
from edge.egress import envelope
from edge.egress.identity import identity
from edge.keys import recovery, root, siblings, site_keys, wrapping
from edge.store.operators import Seal

REPLACED: Final = "when it is replaced (postern keys rotate)"
NEVER: Final = "never"
HASHES: Final = "store/site.db, as hashes"
NEW_SITE: Final = "make a new site, and add its documents again"
BREACH: Final = "whoever also has a copy of the site's folder reads all that is in it: treat it as a breach"


@dataclass(frozen=True)
class Key:
    """One key, or all of one kind. `ends_at`: ISO 8601 where a certificate says so."""

    key: str
    purpose: str
    holder: str
    where: str
    ends: str
    lost: str
    stolen: str
    ends_at: str | None = None


@dataclass(frozen=True)
class Counts:
    """How many there are of the kinds that are rows of the store; how the break-glass account is sealed."""

    subjects: int
    api_keys: int
    operators: int
    logins: int
    seal: Seal


HALVES_ARE_WITH: Final = {
    Seal.NONE: "nobody: it was not sealed yet",
    Seal.WHOLE: "two people, half each, in sealed envelopes",
    Seal.BROKEN: "two people, who have opened their envelopes: void, or soon",
    Seal.OLD: "one person, by an earlier release: it opens nothing",
}


def keys_of(paths: SitePaths, config: Config, counts: Counts) -> list[Key]:
    """All of a site's keys, from the root on."""
    return [
        _root(paths),
        _recovery(paths),
        *_of_the_store(counts),
        _policy(paths),
        *_of_the_courier(paths),
        *_of_siblings(paths, config),
        *_of_people(counts),
        *_of_the_network(config),
    ]


def _root(paths: SitePaths) -> Key:
    in_tpm = root.holder(paths) == "tpm"
    return Key(
        "root",
        "opens the site key",
        "this machine's TPM" if in_tpm else "the node's user, in a file",
        f"keys/{root.SEALED if in_tpm else root.FILE}",
        REPLACED,
        "bring it back with the recovery key: postern keys recover",
        f"{BREACH}. For what is copied from now on, replace it: postern keys rotate",
    )


def _recovery(paths: SitePaths) -> Key:
    lies_here = paths.recovery_key.exists()
    return Key(
        "recovery",
        "brings the root key back on another machine, and opens backups",
        "this machine, until somebody takes it away" if lies_here else "people, away from this machine",
        f"{paths.recovery_key.name if lies_here else 'a safe'}; keys/{recovery.RECIPIENT} is its public half, "
        f"keys/{recovery.ROOT} what it opens",
        REPLACED,
        "as long as this machine works, replace it at once: postern keys rotate. Backups up to then cannot be opened",
        "whoever also has a backup or a copy of the folder reads it: postern keys rotate, and destroy those",
    )


def _of_the_store(counts: Counts) -> Iterator[Key]:
    inside = f"keys/{wrapping.NAME}, encrypted"
    lost = f"put keys/{wrapping.NAME} back from a backup; without one, {NEW_SITE}"
    yield Key("site", "opens the keys of the data", "the node", inside, REPLACED, lost, BREACH)
    yield Key("store", "opens store/site.db", "the node", inside, NEVER, lost, f"{BREACH}, and {NEW_SITE}")
    opens = "opens store/keys.db, where each person's key is"
    yield Key("subjects", opens, "the node", inside, NEVER, lost, f"{BREACH}, and {NEW_SITE}")
    yield Key(
        "subject",
        f"open what one person said; {counts.subjects} now",
        "the node",
        "store/keys.db, encrypted",
        "with the conversation or ticket, or by erasure",
        "what that person said cannot be read any more: this is how a person is forgotten",
        "whoever also has the store reads what that person said",
    )
    public = f"; keys/{site_keys.RECEIPTS_PUBLIC} is its public half"
    forged = "receipts of erasure could be forged; tell those who rely on them"
    yield Key("receipts", "signs receipts", "the node", inside + public, NEVER, lost, forged)


def _policy(paths: SitePaths) -> Key:
    here = paths.policy_key.exists()
    return Key(
        "policy",
        "signs the site's privacy policy",
        "the node's user, in a file" if here else "people, away from this machine",
        "keys/policy.key; keys/policy.pub is its public half" if here else "not here; keys/policy.pub checks",
        NEVER,
        "the policy holds to its last day; for another one make a new pair: postern keys rotate --policy",
        "somebody could put a policy of their own in force: postern keys rotate --policy, read the policy, sign it",
    )


def _of_the_courier(paths: SitePaths) -> Iterator[Key]:
    yield Key(
        "envelope",
        "seals what the guard lets out, for the courier",
        "the node and the courier",
        f"keys/{envelope.KEY_FILE}",
        NEVER,
        "stop the services, remove what is left of it, start them: it is made anew",
        "whoever also runs as one of the two could hand frames to the courier: replace it as when lost",
    )
    again = "enrol again: postern enroll"
    revoke = "revoke the node at the control plane, then enrol again"
    ends, ends_at = _end(paths.courier / identity.CERTIFICATE_FILE)
    where = f"courier/{identity.KEY_FILE}, courier/{identity.CERTIFICATE_FILE}"
    yield Key(
        "node",
        "the site's TLS identity to its control plane",
        "the courier",
        where,
        ends,
        again,
        revoke,
        ends_at,
    )
    ends, ends_at = _end(paths.courier / identity.ROOTS_FILE)
    where = f"courier/{identity.ROOTS_FILE}"
    yield Key(
        "control plane",
        "whom the courier believes",
        "the courier",
        where,
        ends,
        again,
        "it is public",
        ends_at,
    )
    where = paths.ledger_key.relative_to(paths.root).as_posix()
    yield Key(
        "ledger",
        "signs what the record of what left has come to (its checkpoints)",
        "the courier",
        where,
        NEVER,
        "with the courier stopped: postern ledger anew. The record is set aside, and the new one names its root",
        "a history that no witness has seen could be made up from now on: begin anew as when it is lost",
    )


def _end(certificate: Path) -> tuple[str, str | None]:
    """When a certificate ends, in words and as a moment. Under systemd only the courier's user may look."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except FileNotFoundError:
        return "not enrolled", None
    except OSError:
        return "with its certificate; only the courier's user can read it", None
    except ValueError:
        return "its certificate is damaged: enrol again", None
    return f"on {found:%Y-%m-%d}, with its certificate", found.isoformat()


def _of_siblings(paths: SitePaths, config: Config) -> Iterator[Key]:
    where = siblings.key_file(paths, config)
    if config.siblings.urls or where.exists():
        anew = "make another (postern siblings key --new), and carry it to the site's other nodes"
        yield Key(
            "siblings",
            "seals conversations that go on at another node of the site",
            "the site's nodes, each in a file",
            str(where),
            NEVER,
            f"copy it from another node, or {anew}",
            f"whoever also has a token of a customer's page reads that conversation, within its time: {anew}",
        )


def _of_people(counts: Counts) -> Iterator[Key]:
    yield Key(
        "API keys",
        f"let programs of the site ask; {counts.api_keys} now",
        "each program",
        HASHES,
        "when it is revoked",
        "revoke it and make another: postern api-keys",
        "revoke it: postern api-keys revoke",
    )
    yield Key(
        "operators",
        f"passwords and logins of the staff; {counts.operators} operators, {counts.logins} logins now",
        "each of the staff",
        HASHES,
        "a login when it is idle or old; a password when it is set anew",
        "postern operators set-password",
        "postern operators disable, then set-password",
    )
    yield Key(
        "break-glass",
        "lets two people in together when nobody else can log in",
        HALVES_ARE_WITH[counts.seal],
        "nowhere" if counts.seal is Seal.NONE else HASHES,
        "when it was used, or is sealed anew",
        "seal it: postern operators break-glass",
        "one half opens nothing; seal it anew all the same",
    )
    yield Key(
        "conversations",
        "a customer's own token",
        "the customer's page",
        HASHES,
        "with the conversation",
        "the customer begins another conversation",
        "the conversation can be read until it ends: end it",
    )


def _of_the_network(config: Config) -> Iterator[Key]:
    anew = "stop the node, remove the files, start it: they are made anew"
    if config.mqtt.broker == "embedded":
        where = "keys/mqtt-node.password, keys/mqtt-kiosk.password"
        yield Key("kiosks", "logins of the broker", "the node and the kiosks", where, NEVER, anew, anew)
    given = {
        "broker": (config.mqtt.password_file, "the node's login at the site's broker"),
        "mail": (config.handoff.smtp.password_file, "the node's login at the mail server"),
        "webhook": (config.handoff.webhook.secret_file, "signs calls of the site's webhook"),
        "single sign-on": (config.console.oidc.client_secret_file, "the console's login at the provider"),
        "language model": (config.models.llm_server.api_key_file, "the node's login at the server"),
    }
    for name, (file, purpose) in given.items():
        if file:
            change = "give the node a new one at whoever gave it"
            yield Key(
                name, purpose, "the node's user, in a file", str(file), "as its giver says", change, change
            )
