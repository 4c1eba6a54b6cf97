"""What a node may ask its control plane for in order to update itself, as the courier checks it before it goes. No I/O.

Names of files of metadata and digests of blobs: none of it says anything of the site.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from google.protobuf.message import DecodeError

from edge.egress.envelope import Envelope, Purpose
from postern.v1 import artifact_pb2

DIGESTS_MAX: Final = 64
"""Of one request: part of the protocol."""

DIGEST_BYTES: Final = 32
NAME_PATTERN: Final = r"^(?:[1-9][0-9]{0,11}\.)?[a-z0-9][a-z0-9_-]{0,31}\.json$"
"""As TUF names files: "timestamp.json", "3.root.json"."""

FETCH_BYTES_MAX: Final = 4096
"""Of one request: 64 digests with their framing take 2.2 KiB."""

METADATA: Final = "get_metadata"
BLOBS: Final = "fetch_blobs"
RepositoryName = Literal["vendor", "director"]
_REPOSITORIES: Final = (artifact_pb2.REPOSITORY_VENDOR, artifact_pb2.REPOSITORY_DIRECTOR)


def inner_refusal_of(envelope: Envelope) -> str:
    """Why an envelope whose seal holds may not go out as a fetch, or "" if it may."""
    if envelope.purpose is not Purpose.FETCH or envelope.kind not in {METADATA, BLOBS} or envelope.rows:
        return "kind"
    if len(envelope.payload) > FETCH_BYTES_MAX:
        return "size"
    try:
        known = _asks_for_metadata if envelope.kind == METADATA else _asks_for_blobs
        return "" if known(envelope.payload) else "kind"
    except DecodeError:
        return "kind"


def _asks_for_metadata(payload: bytes) -> bool:
    request = artifact_pb2.GetMetadataRequest.FromString(payload)
    return request.repository in _REPOSITORIES and bool(re.fullmatch(NAME_PATTERN, request.name))


def _asks_for_blobs(payload: bytes) -> bool:
    digests = artifact_pb2.FetchBlobsRequest.FromString(payload).digests
    return 0 < len(digests) <= DIGESTS_MAX and all(len(digest) == DIGEST_BYTES for digest in digests)
