"""The key that the nodes of one site share, so that a conversation goes on at another one when its node dies.

A line of base64 in a file that only the node's user reads. It opens continuation tokens and nothing else: no store, no
backup, no signature hangs on it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.errors import ConfigError
from core.files import write_atomic
from edge.config import Config, SitePaths

KEY_BYTES: Final = 32
NAME: Final = "siblings.key"
FINGERPRINT_DIGITS: Final = 16
"""Hexadecimal; enough that two keys are not taken for one, and nothing of the key."""


def key_file(paths: SitePaths, config: Config) -> Path:
    """Where the key is, or is to be."""
    return config.siblings.key_file or paths.keys / NAME


def read(path: Path) -> bytes:
    """The key. Raises ConfigError."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}. The site's nodes share one key, and it is not here.",
            remedy="Make it at one node (postern siblings key), and copy the file to the others.",
        ) from None
    with suppress(binascii.Error, ValueError):
        key = base64.b64decode(text.strip(), validate=True)
        if len(key) == KEY_BYTES:
            return key
    raise ConfigError(
        f"{path} holds no key of siblings: a line of base64 with {KEY_BYTES} bytes.",
        remedy="Copy the file from a node that has it, or make another: postern siblings key --new.",
    )


def make(path: Path) -> bytes:
    """A new key in the place of whatever is there. Raises ConfigError."""
    key = os.urandom(KEY_BYTES)
    try:
        write_atomic(path, base64.b64encode(key) + b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    return key


def fingerprint(key: bytes) -> str:
    """Whether two nodes have the same key, without telling anything of it."""
    return hashlib.sha256(b"postern siblings fingerprint 1\n" + key).hexdigest()[:FINGERPRINT_DIGITS]
