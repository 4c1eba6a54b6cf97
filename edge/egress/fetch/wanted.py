"""What a node asks its control plane for in order to update itself, as values, and as the requests that they become."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from edge.egress.fetch.order import BLOBS, DIGESTS_MAX, METADATA, NAME_PATTERN, RepositoryName
from edge.egress.records.schemas import Digest, Strict
from postern.v1 import artifact_pb2

_REPOSITORIES: Final = {
    "vendor": artifact_pb2.REPOSITORY_VENDOR,
    "director": artifact_pb2.REPOSITORY_DIRECTOR,
}


class MetadataWanted(Strict):
    """One file of a repository."""

    repository: RepositoryName
    name: Annotated[str, Field(pattern=NAME_PATTERN)]


class BlobsWanted(Strict):
    """Blobs, in this order."""

    digests: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=DIGESTS_MAX)]


Wanted = MetadataWanted | BlobsWanted


def kind_of(wanted: Wanted) -> str:
    """The method of ArtifactService."""
    return METADATA if isinstance(wanted, MetadataWanted) else BLOBS


def to_bytes(wanted: Wanted) -> bytes:
    """The request, serialised."""
    if isinstance(wanted, MetadataWanted):
        repository = _REPOSITORIES[wanted.repository]
        return artifact_pb2.GetMetadataRequest(repository=repository, name=wanted.name).SerializeToString()
    digests = [bytes.fromhex(digest) for digest in wanted.digests]
    return artifact_pb2.FetchBlobsRequest(digests=digests).SerializeToString()
