"""The control plane's folder: what `init` creates and `run` reads back. Keys never leave it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_sync.config import CloudPaths, CloudSettings, load_settings
from cloud_sync.store.database import Database, create_store_key
from cloud_sync.store.witnessed import any_log
from cloud_sync.witness.signing import WitnessKey, create_witness_key, load_witness_key
from core.errors import ConfigError
from core.files import private_folder, write_atomic
from core.identity import (
    Authority,
    Credential,
    InvalidCertificate,
    authority_from,
    certificate_fingerprint,
    create_ca,
    create_enrolment_certificate,
)

log = logging.getLogger(__name__)

# The root must outlive every certificate under it; replacing it means enrolling the fleet again.
AUTHORITY_VALIDITY = timedelta(days=20 * 365)
# Codes are bound to it for a day at most, nodes forget it after enrolling: long is convenient and costs nothing.
ENROLMENT_VALIDITY = timedelta(days=10 * 365)


@dataclass(frozen=True)
class Identities:
    """The keys by which the control plane and its nodes know each other."""

    authority: Authority
    enrolment: Credential

    @property
    def enrolment_fingerprint(self) -> bytes:
        """What one-time codes are bound to."""
        return certificate_fingerprint(self.enrolment.certificate_pem)


def create_folder(paths: CloudPaths, organisation: str, database_url: str, now: datetime) -> None:
    """A new control plane's folder. Raises ConfigError when one is there already, or the address is not one."""
    if paths.config.exists() or paths.keys.exists():
        remedy = "Choose another folder; this one's keys belong to nodes that are enrolled."
        raise ConfigError(f"{paths.root} already has a control plane.", remedy=remedy)
    private_folder(paths.keys)
    authority = create_ca(f"{organisation} fleet", now=now, validity=AUTHORITY_VALIDITY)
    _write(paths, "authority", authority.credential())
    _write(paths, "enrolment", create_enrolment_certificate(now=now, validity=ENROLMENT_VALIDITY))
    create_store_key(paths)
    create_witness_key(paths.witness_key)
    # Last, so that a folder with a configuration is a whole one.
    write_atomic(paths.config, _configuration(organisation, database_url).encode())
    load_settings(paths)


def load_identities(paths: CloudPaths) -> Identities:
    """Raises ConfigError when a key is missing or does not fit."""
    try:
        authority, enrolment = authority_from(_read(paths, "authority")), _read(paths, "enrolment")
    except (OSError, InvalidCertificate) as error:
        remedy = f"Restore {paths.keys} from the backup; enrolled nodes trust only these keys."
        raise ConfigError(f"The keys in {paths.keys} cannot be read.", remedy=remedy) from error
    return Identities(authority, enrolment)


async def witness_key(paths: CloudPaths, settings: CloudSettings, database: Database) -> WitnessKey:
    """The folder's. A folder from before witnesses gets one, unless another replica may have made it or it was lost.

    Raises ConfigError, StoreBusy, StoreUnavailable.
    """
    one_replica = not settings.database.url.get_secret_value()

    def make(connection: sa.Connection) -> bool:
        # In the transaction, which is one at a time in SQLite: a command may run beside the control plane.
        missing = not paths.witness_key.exists() and not any_log(connection)
        if missing:
            create_witness_key(paths.witness_key)
        return missing

    made = one_replica and not paths.witness_key.exists() and await database.run(make)
    key = load_witness_key(paths.witness_key)
    if made:
        log.warning("this folder had no witness's key: a new one was made", extra={"vkey": key.vkey})
    return key


def _write(paths: CloudPaths, name: str, credential: Credential) -> None:
    write_atomic(paths.keys / f"{name}.key.pem", credential.key_pem)
    write_atomic(paths.keys / f"{name}.pem", credential.certificate_pem)


def _read(paths: CloudPaths, name: str) -> Credential:
    key, certificate = paths.keys / f"{name}.key.pem", paths.keys / f"{name}.pem"
    return Credential(key.read_bytes(), certificate.read_bytes())


def _configuration(organisation: str, database_url: str) -> str:
    # JSON's strings are TOML's basic strings, but for DEL, which JSON leaves as it is and nobody types.
    return f"""\
# Postern control plane. Every setting has a default.
organisation = {json.dumps(organisation)}

[console]
# Off loopback, set certificate_file and key_file too.
host = "127.0.0.1"
port = 8090

[sync]
# To be reached from sites: host = "0.0.0.0" and advertised_host = the name that nodes use.
host = "127.0.0.1"
port = 8091

[enrolment]
host = "127.0.0.1"
port = 8092

[overflow]
# Write answers for nodes that cannot in time, with the model of this machine or the servers named here.
enabled = false

[database]
# Empty: an encrypted SQLite file in this folder. Else postgresql://user:password@host/database
url = {json.dumps(database_url)}
"""
