"""A customer's witness: its protocol, its commands, its folder."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from cloud_sync.cli import main
from cloud_sync.config import CloudPaths
from cloud_sync.witness.http import SIZE_TYPE, witness_app
from cloud_sync.witness.notes import MalformedNote, cosigned_at, read_note, read_vkey
from cloud_sync.witness.own import OwnWitness, create_key, own_witness
from cloud_sync.witness.request import REQUEST_BYTES_MAX, read_request, write_request
from cloud_sync.witness.rules import Submitted
from cloud_sync.witness.signing import load_witness_key
from core.errors import ConfigError
from tests.naive_log import NaiveLog

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> CloudPaths:
    found = CloudPaths(tmp_path / "witness")
    create_key(found)
    return found


@pytest.fixture
async def witness(paths: CloudPaths) -> AsyncIterator[OwnWitness]:
    async with own_witness(paths, lambda: NOW) as opened:
        yield opened


@pytest.fixture
async def client(witness: OwnWitness) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    async with TestClient(TestServer(witness_app(witness))) as opened:
        yield opened


def body(log: NaiveLog, old: int) -> bytes:
    return write_request(Submitted(old, log.proof(old), log.note()))


async def test_the_protocol_answers_as_it_is_written(
    client: TestClient,  # type: ignore[type-arg]
    witness: OwnWitness,
    paths: CloudPaths,
) -> None:
    log, other = NaiveLog().grow(6), NaiveLog().grow(6)
    await witness.add_log(log.vkey)
    forked = NaiveLog([b"another"], log.private).grow(6)
    longer = NaiveLog([b"another"], log.private).grow(9)
    shorter = NaiveLog(log.leaves[:4], log.private)
    stranger = Submitted(6, (), other.note(log.text()))
    rows: list[tuple[bytes, int, str]] = [
        (body(log, 0), 200, ""),
        (body(log, 6), 200, ""),
        (b"hello", 400, "malformed\n"),
        (body(log, 7), 400, "malformed\n"),
        (write_request(stranger), 403, "bad_signature\n"),
        (body(other, 0), 404, "unknown_log\n"),
        (body(log, 2), 409, "6\n"),
        (body(shorter, 4), 409, "6\n"),
        (body(forked, 6), 409, "6\n"),
        (body(longer, 6), 422, "inconsistent\n"),
    ]
    for request, status, said in rows:
        answer = await client.post("/add-checkpoint", data=request)
        text = await answer.text()
        assert answer.status == status
        assert not said or text == said
        assert (answer.content_type == SIZE_TYPE) == (status == 409)
        if status == 200:
            note = read_note(log.note() + text.encode())
            assert cosigned_at(note, read_vkey(load_witness_key(paths.witness_key).vkey)) == NOW.timestamp()
    assert (await client.post("/add-checkpoint", data=b"x" * (REQUEST_BYTES_MAX + 1))).status == 413
    _, refusals = await witness.logs()
    assert sorted(one.reason for one in refusals) == ["inconsistent", "rolled_back", "split_view"]


async def test_what_it_signed_is_remembered_by_the_next_one(paths: CloudPaths) -> None:
    log = NaiveLog().grow(6)
    async with own_witness(paths, lambda: NOW) as first:
        await first.add_log(log.vkey)
        assert (await first.submit(body(log, 0))).line
        with pytest.raises(ConfigError, match="is known here"):
            await first.add_log(log.vkey)
    async with own_witness(paths, lambda: NOW) as second:
        forked = NaiveLog([b"another"], log.private).grow(6)
        assert not (await second.submit(body(forked, 6))).line
        with pytest.raises(ConfigError, match="no log's key"):
            await second.add_log("hello")
        with pytest.raises(ConfigError, match="a witness's key"):
            await second.add_log(load_witness_key(paths.witness_key).vkey)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"old 1\n",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"new 1\n\nnote",
        b"old 1\n!\n\nnote",
        b"old 1\n\xff\n\nnote",
        b"old 1\n" + b"AAAA\n" * 64 + b"\nnote",
    ],
)
def test_what_is_almost_a_request_is_none(request_: bytes) -> None:
    with pytest.raises(MalformedNote):
        read_request(request_)


def test_a_request_is_read_as_it_was_written() -> None:
    log = NaiveLog().grow(7)
    submitted = Submitted(3, log.proof(3), log.note())
    assert read_request(write_request(submitted)) == submitted


def test_a_stick_goes_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = str(tmp_path / "witness"), tmp_path / "request"
    log = NaiveLog().grow(6)

    def said(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["witness", *arguments, "--dir", folder])
        assert not ended.value.code
        return capsys.readouterr().out.strip()

    vkey = said("key", "--new")
    assert said("key") == vkey
    said("add-log", log.vkey)
    file.write_bytes(body(log, 0))
    said("cosign", str(file))
    back = (tmp_path / "request.cosigned").read_bytes()
    assert back.startswith(log.note())
    assert cosigned_at(read_note(back), read_vkey(vkey))
    for shown, reason in (
        (body(log.grow(9), 0), "begin with 6"),
        (body(NaiveLog().grow(2), 0), "unknown_log"),
    ):
        file.write_bytes(shown)
        with pytest.raises(SystemExit) as ended:
            main(["witness", "cosign", str(file), "--dir", folder])
        assert ended.value.code
        assert reason in " ".join(capsys.readouterr().err.split())
    (known,) = json.loads(said("list", "--json"))["logs"]
    assert (known["log"], known["size"]) == (log.origin, 6)


async def test_a_control_plane_is_no_customers_witness(tmp_path: Path) -> None:
    paths = CloudPaths(tmp_path)
    paths.config.write_text("")
    create_key(paths)
    with pytest.raises(ConfigError, match="has a witness's key"):
        create_key(paths)
    with pytest.raises(ConfigError, match="control plane's folder"):
        async with own_witness(paths, lambda: NOW):
            pass
