"""From a one-time code to a certificate, over the real port; and everything that must not get that far."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import grpc
import pytest

from cloud_sync.fleet.enrolment import ATTEMPTS_PER_ADDRESS
from cloud_sync.services import utc_now
from core import identity
from postern.v1 import sync_pb2, sync_pb2_grpc
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.fleet_node import ANSWER_TIMEOUT_S, Link, TestNode, enrol

DAY = timedelta(days=1)


async def test_a_code_becomes_a_node(cloud: Running) -> None:
    node = await cloud.enrolled("St. Anna")
    assert identity.node_id_from_certificate(node.certificate_pem) == node.id
    view, _ = await cloud.control.overview.node(node.id)
    assert (view.site, view.name, view.state, view.software_version) == (
        "St. Anna",
        "St. Anna 1",
        "new",
        "1.2.3",
    )


async def test_a_code_is_spent_once_even_by_many_at_once(cloud: Running) -> None:
    code = await cloud.control.enrolment.new_code("Race", "test", cloud.ready.enrolment)
    attempts = 8  # below the limit of attempts from one address
    outcomes = await asyncio.gather(
        *(enrol(cloud.ready.enrolment, code.code) for _ in range(attempts)), return_exceptions=True
    )
    assert sum(isinstance(outcome, TestNode) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert {error.code() for error in refused} == {grpc.StatusCode.UNAUTHENTICATED}
    assert len(await cloud.control.overview.list_nodes()) == 1


async def test_a_bad_signing_request_leaves_the_code_unspent(cloud: Running) -> None:
    code = await cloud.control.enrolment.new_code("St. Anna", "test", cloud.ready.enrolment)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enrol(cloud.ready.enrolment, code.code, signing_request=b"no request")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await enrol(cloud.ready.enrolment, code.code)).id


async def test_guessing_is_slowed_down(cloud: Running) -> None:
    pem = (cloud.paths.keys / "enrolment.pem").read_bytes()
    guess = str(identity.new_code(identity.certificate_fingerprint(pem)))
    codes = []
    for _ in range(ATTEMPTS_PER_ADDRESS + 1):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enrol(cloud.ready.enrolment, guess)
        codes.append(caught.value.code())
    assert codes[:-1] == [grpc.StatusCode.UNAUTHENTICATED] * ATTEMPTS_PER_ADDRESS
    assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.proves("transmission")
async def test_another_machine_at_the_port_is_noticed_before_the_code_is_sent(cloud: Running) -> None:
    code = identity.new_code(os.urandom(32))
    with pytest.raises(AssertionError, match="not the port"):
        await enrol(cloud.ready.enrolment, str(code))


@pytest.mark.proves("transmission")
async def test_strangers_do_not_get_past_tls(cloud: Running) -> None:
    node = await cloud.enrolled()
    stranger = identity.create_ca("Another fleet", now=utc_now(), validity=DAY)
    key = identity.new_key()
    request = identity.create_signing_request(key)
    pem = identity.issue_node_certificate(stranger, request, node.id, now=utc_now(), validity=DAY)
    wrong_authority = grpc.ssl_channel_credentials(node.ca_pem, identity.key_to_pem(key), pem)
    no_certificate = grpc.ssl_channel_credentials(node.ca_pem)
    for credentials in (wrong_authority, no_certificate):
        async with Link(node, credentials) as link:
            assert await link.status() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.proves("transmission")
async def test_the_node_refuses_another_control_plane(cloud: Running) -> None:
    node = await cloud.enrolled()
    other = identity.create_ca("Another fleet", now=utc_now(), validity=DAY).certificate_pem
    credentials = grpc.ssl_channel_credentials(other, node.key_pem, node.certificate_pem)
    async with Link(node, credentials) as link:
        assert await link.status() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.proves("transmission")
async def test_plain_text_is_refused(cloud: Running) -> None:
    async with grpc.aio.insecure_channel(cloud.ready.sync) as channel:
        call = sync_pb2_grpc.SyncServiceStub(channel).Connect()
        assert await asyncio.wait_for(call.code(), ANSWER_TIMEOUT_S) is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_the_authority_that_names_no_node_is_refused(cloud: Running) -> None:
    node = await cloud.enrolled()
    authority = identity.authority_from(
        identity.Credential(
            (cloud.paths.keys / "authority.key.pem").read_bytes(),
            (cloud.paths.keys / "authority.pem").read_bytes(),
        )
    )
    server = identity.create_server_certificate(authority, [], now=utc_now(), validity=DAY)
    credentials = grpc.ssl_channel_credentials(node.ca_pem, server.key_pem, server.certificate_pem)
    async with Link(node, credentials) as link:
        # TLS stops it already: the certificate may only be a server's.
        assert await link.status() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
    unknown = identity.new_key()
    request = identity.create_signing_request(unknown)
    pem = identity.issue_node_certificate(authority, request, "node-unknown", now=utc_now(), validity=DAY)
    credentials = grpc.ssl_channel_credentials(node.ca_pem, identity.key_to_pem(unknown), pem)
    async with Link(node, credentials) as link:
        goodbye = await link.hello()
        assert goodbye.reason == sync_pb2.GOODBYE_REASON_REVOKED
        assert await link.status() is grpc.StatusCode.UNAUTHENTICATED


async def test_nodes_enrolled_before_a_restart_stay_enrolled(cloud: Running) -> None:
    node = await cloud.enrolled()
    await cloud.stopped()
    async with running(cloud.paths) as again:
        moved = TestNode(node.id, node.key_pem, node.certificate_pem, node.ca_pem, again.ready.sync)
        async with Link(moved) as link:
            assert (await link.hello()).stream_generation == 1
