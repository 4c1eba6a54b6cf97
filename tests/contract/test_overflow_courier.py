"""A text on its way from the node through the courier to the control plane, and its answer back."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from edge.config import SitePaths
from edge.egress.courier.client import CloudBytes, CourierClient, LinkUp
from edge.egress.courier.witnessing import WITNESS_REFUSED
from edge.egress.envelope import Envelope, Purpose, load_or_create_key, seal
from edge.egress.identity import identity
from edge.egress.ledger import reading
from edge.egress.overflow.client import Ended, Restarted, Text
from edge.egress.overflow.errors import (
    OverflowBusy,
    OverflowCut,
    OverflowDenied,
    OverflowLate,
    OverflowRefused,
    OverflowUnreachable,
)
from edge.egress.overflow.link import ANSWER_BYTES_MAX
from edge.egress.overflow.order import MESSAGES_MAX, NEW_TOKENS_MAX
from edge.egress.proofs.checking import check_site
from postern.v1 import overflow_pb2, sync_pb2
from tests.contract.courier_process import CourierProcess, new_site, receive, until
from tests.contract.overflow_rig import (
    ANSWER,
    attached,
    courier_here,
    denial,
    end,
    generate_request,
    leaves,
    overflow_clouds,
    recorded,
    replies,
    rest_of,
    sealed,
)

WHOLE = [*map(Text, ANSWER), Ended("stop", "engine", 9, 4)]


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.mark.proves("record-of-egress")
async def test_recorded_before_sent_and_closed_after(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        envelope = sealed(paths)
        assert await replies(client, envelope) == WHOLE
        assert cloud.requests == [generate_request()]
        assert cloud.recorded == [True]
        await until(lambda: leaves(paths)[-1].type == "close")
        link, intent, close = leaves(paths)
        assert (link.type, link.fields["destination"]) == ("link", cloud.endpoint)
        assert intent.fields["kind"] == "generate"
        assert intent.fields["envelope"] == close.fields["envelope"] == envelope.identifier.hex()
        assert (intent.fields["verdict"], intent.fields["policy"]) == ("public", envelope.policy.hex())
        assert (close.fields["tokens_up"], close.fields["tokens_down"]) == (9, 4)
        assert (close.fields["outcome"], close.fields["bytes"]) == ("written", len(envelope.payload))


@pytest.mark.proves("one-way-out")
async def test_nothing_is_sent_that_the_guard_did_not_seal_as_it_is(paths: SitePaths) -> None:
    many = overflow_pb2.GenerateRequest(
        messages=list(generate_request().messages) * (MESSAGES_MAX + 1), max_new_tokens=1
    )
    asked_by_nobody = overflow_pb2.GenerateRequest(
        messages=[overflow_pb2.OverflowMessage(role="tool")], max_new_tokens=1
    )
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        for envelope, reason in (
            (replace(sealed(paths), mac=bytes(32)), "mac"),
            (replace(sealed(paths), payload=generate_request("another").SerializeToString()), "mac"),
            (sealed(paths, purpose=Purpose.RECORDS), "kind"),
            (sealed(paths, kind="hello"), "kind"),
            (sealed(paths, overflow_pb2.GenerateRequest()), "kind"),
            (sealed(paths, asked_by_nobody), "kind"),
            (sealed(paths, rows=1), "rows"),
            (sealed(paths, verdict="schema"), "verdict"),
            (sealed(paths, verdict="harmless"), "verdict"),
            (sealed(paths, policy=b""), "verdict"),
            (sealed(paths, salt=b"short"), "verdict"),
            (sealed(paths, many), "size"),
            (sealed(paths, generate_request(max_new_tokens=0)), "size"),
            (sealed(paths, generate_request(max_new_tokens=NEW_TOKENS_MAX + 1)), "size"),
        ):
            with pytest.raises(OverflowRefused) as caught:
                await replies(client, envelope)
            assert caught.value.reason == reason
        assert cloud.requests == []
        assert [leaf.type for leaf in leaves(paths)] == ["link"]
        at_the_limit = overflow_pb2.GenerateRequest(
            messages=list(generate_request().messages) * MESSAGES_MAX, max_new_tokens=NEW_TOKENS_MAX
        )
        assert await replies(client, sealed(paths, at_the_limit)) == WHOLE


@pytest.mark.proves("one-way-out")
async def test_a_copy_is_not_sent_again_not_even_after_a_restart(paths: SitePaths) -> None:
    envelope = sealed(paths)
    async with overflow_clouds(paths) as (cloud,):
        async with courier_here(paths), attached(paths) as client:
            assert await replies(client, envelope) == WHOLE
            with pytest.raises(OverflowRefused, match="replayed"):
                await replies(client, envelope)
        async with courier_here(paths), attached(paths) as client:
            with pytest.raises(OverflowRefused, match="replayed"):
                await replies(client, envelope)
        assert len(cloud.requests) == 1


async def test_a_site_without_a_control_plane_is_told_so_until_it_has_one(paths: SitePaths) -> None:
    async with courier_here(paths), attached(paths, ready=False) as client:
        assert (client.ready, client.reason) == (False, "not_enrolled")
        with pytest.raises(OverflowUnreachable):
            await replies(client, sealed(paths))
        assert leaves(paths) == []


async def test_what_the_control_plane_says_instead_of_an_answer(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.texts = ()
        cloud.last = denial("personal", types=["EMAIL", "PERSON"])
        with pytest.raises(OverflowDenied) as denied:
            await replies(client, sealed(paths))
        assert (denied.value.reason, denied.value.types) == ("personal", ("EMAIL", "PERSON"))
        cloud.last = denial("busy", retry_after_ms=1500)
        with pytest.raises(OverflowBusy) as busy:
            await replies(client, sealed(paths))
        assert busy.value.retry_after_s == 1.5
        cloud.last = denial("late")
        with pytest.raises(OverflowLate):
            await replies(client, sealed(paths))
        cloud.texts, cloud.last = ANSWER, denial("budget", retry_after_ms=60_000)
        with pytest.raises(OverflowDenied) as denied:  # after some text, which is then no answer
            await replies(client, sealed(paths))
        assert (denied.value.reason, denied.value.retry_after_s) == ("budget", 60.0)


async def test_a_stream_that_just_ends_is_cut_whatever_it_held(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        for last in (
            None,
            end(overflow_pb2.OVERFLOW_FINISH_UNSPECIFIED),
            overflow_pb2.GenerateResponse(),
            overflow_pb2.GenerateResponse(restart=overflow_pb2.OverflowRestart()),
        ):
            cloud.last = last
            with pytest.raises(OverflowCut):
                await replies(client, sealed(paths))
        for status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL):
            cloud.status = status
            with pytest.raises(OverflowCut):
                await replies(client, sealed(paths))
        cloud.texts, cloud.status = ("x" * (ANSWER_BYTES_MAX // 2 + 1),) * 2, None
        cloud.last = end()
        with pytest.raises(OverflowCut):
            await replies(client, sealed(paths))


async def test_another_provider_of_the_control_plane_is_announced(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.texts = ()
        cloud.last = overflow_pb2.GenerateResponse(restart=overflow_pb2.OverflowRestart())
        answer = client.generate(sealed(paths), deadline_s=10)
        assert await anext(answer) == Restarted()
        await answer.aclose()
        cloud.last = end(overflow_pb2.OVERFLOW_FINISH_LENGTH)
        assert await replies(client, sealed(paths)) == [Ended("length", "engine", 9, 4)]


async def test_whoever_leaves_or_waits_too_long_ends_the_call(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths):
        async with attached(paths) as client:
            cloud.go_on.clear()
            async with aclosing(client.generate(sealed(paths), deadline_s=30)) as answer:
                assert await anext(answer) == Text("The")
            await until(lambda: cloud.left == 1)
            while len(cloud.requests) == 1:  # a loaded machine may be late before it has asked
                with pytest.raises(OverflowLate):
                    await replies(client, sealed(paths), deadline_s=0.1)
            await until(lambda: cloud.left == len(cloud.requests))
            last = client.generate(sealed(paths), deadline_s=30)
            assert await anext(last) == Text("The")
        await until(lambda: cloud.left == len(cloud.requests) >= 3)  # the node is gone
        with pytest.raises(OverflowCut):
            await rest_of(last)
        await until(lambda: recorded(paths, "close") == recorded(paths, "intent") >= 3)


@pytest.mark.proves("one-way-out")
async def test_a_control_plane_that_revoked_the_site_is_left_alone(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.texts, cloud.status = (), grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(OverflowRefused, match="refused"):
            await replies(client, sealed(paths))
        await until(lambda: (client.ready, client.reason) == (False, "refused"))
        with pytest.raises(OverflowRefused, match="refused"):
            await replies(client, sealed(paths))
        assert len(cloud.requests) == 1


@pytest.mark.proves("record-of-egress")
async def test_after_a_witness_refused_no_text_leaves(paths: SitePaths, refuse: asyncio.Event) -> None:
    async with overflow_clouds(paths, 2) as clouds, courier_here(paths), attached(paths) as client:
        for cloud in clouds:
            cloud.go_on.clear()
        waiting = asyncio.create_task(replies(client, sealed(paths)))
        await until(lambda: any(cloud.requests for cloud in clouds))
        refuse.set()
        for asked in (waiting, replies(client, sealed(paths))):
            with pytest.raises(OverflowRefused) as caught:
                await asked
            assert caught.value.reason == WITNESS_REFUSED
        await until(lambda: client.reason == WITNESS_REFUSED)
        await until(lambda: recorded(paths, "link") == recorded(paths, "link_close"))
        assert sum(len(cloud.requests) for cloud in clouds) == recorded(paths, "intent") == 1
        assert recorded(paths, "close") == 1


def intents(paths: SitePaths) -> list[str]:
    """Where texts were sent, in order."""
    return [leaf.fields["destination"] for leaf in leaves(paths) if leaf.type == "intent"]


def outcomes_before_another(paths: SitePaths) -> set[str]:
    """How each call ended after which another replica was asked: the verifier takes no other order for honest."""
    ended: dict[str, str] = {}
    found = set()
    for leaf in leaves(paths):
        if leaf.type == "intent" and leaf.fields["envelope"] in ended:
            found.add(ended[leaf.fields["envelope"]])
        elif leaf.type == "close":
            ended[leaf.fields["envelope"]] = leaf.fields["outcome"]
    return found


async def test_the_next_replica_answers_for_one_that_is_dead_fails_or_hangs(
    paths: SitePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "edge.egress.overflow.link.TAKEN_ON_S_MAX", 20.0
    )  # a busy machine is no replica that hangs
    async with overflow_clouds(paths, 2) as (first, second):
        async with courier_here(paths), attached(paths) as client:
            async with asyncio.timeout(60):
                while not first.requests:  # its channel may come up after the other's
                    assert await replies(client, sealed(paths)) == WHOLE
            before = len(intents(paths))
            for status in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.INTERNAL,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            ):
                first.texts, first.status = (), status
                assert await replies(client, sealed(paths)) == WHOLE
            first.texts, first.status, first.last, saying = (), None, None, first.last
            assert await replies(client, sealed(paths)) == WHOLE  # an end that said nothing is a failure, too
            first.texts, first.status, first.last = ANSWER, grpc.StatusCode.UNAVAILABLE, saying
            with pytest.raises(OverflowCut):  # it had begun: nobody else goes on in the middle
                await replies(client, sealed(paths))
            monkeypatch.setattr("edge.egress.overflow.link.TAKEN_ON_S_MAX", 1.0)
            first.status, first.headers, first.texts = None, False, ()
            first.go_on.clear()
            assert await replies(client, sealed(paths)) == WHOLE
            asked = len(first.requests)
            assert await replies(client, sealed(paths)) == WHOLE
            assert len(first.requests) == asked  # it is asked last for a while
        assert intents(paths)[before : before + 8] == [first.endpoint, second.endpoint] * 4
        assert outcomes_before_another(paths) == {"failed"}
        assert all(first.recorded + second.recorded)
        assert reading.verify(paths.ledger).open_envelopes == 0
        assert check_site(paths)["problems"] == []


async def test_a_replica_that_never_was_does_not_stand_in_the_way(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,):
        mine = identity.load(paths.courier)
        assert mine is not None
        dead_first = replace(mine.enrolment, overflow_endpoints=("127.0.0.1:1", cloud.endpoint))
        identity.store(paths.courier, replace(mine, enrolment=dead_first))
        async with courier_here(paths), attached(paths) as client:
            assert await replies(client, sealed(paths)) == WHOLE
    assert intents(paths) == [cloud.endpoint]


async def test_more_at_once_than_the_limit_is_busy(paths: SitePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.egress.overflow.desk.ORDERS_MAX", 3)
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.go_on.clear()
        running = [asyncio.create_task(replies(client, sealed(paths))) for _ in range(3)]
        await until(lambda: len(cloud.requests) == 3)
        with pytest.raises(OverflowBusy):
            await replies(client, sealed(paths))
        cloud.go_on.set()
        assert await asyncio.gather(*running) == [WHOLE] * 3

        async def taken_on() -> bool:
            with suppress(OverflowBusy):  # a place is free once the end of what had it is recorded
                return await replies(client, sealed(paths)) == WHOLE
            return False

        await until(taken_on)


async def test_an_answer_that_streams_holds_up_no_row_and_no_row_an_answer(paths: SitePaths) -> None:
    hello = sync_pb2.ConnectRequest(hello=sync_pb2.Hello(software_version="0.1.0"))
    framing = Envelope(b"f" * 16, Purpose.FRAMING, "hello", hello.SerializeToString())
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.go_on.clear()
        answer = client.generate(sealed(paths), deadline_s=30)
        assert await anext(answer) == Text("The")
        node = await CourierClient(paths.courier_socket).connect()
        await node.attach()
        await node.open_link(1)
        await receive(node, LinkUp)
        await node.send(1, seal(framing, load_or_create_key(paths.keys)))
        await receive(node, CloudBytes)
        cloud.link.reading.clear()
        for number in range(2):
            await node.send(
                1, seal(replace(framing, identifier=bytes([number] * 16)), load_or_create_key(paths.keys))
            )
        cloud.go_on.set()
        assert await rest_of(answer) == WHOLE[1:]
        cloud.link.reading.set()


async def test_others_than_the_site_get_nothing_from_the_socket(paths: SitePaths) -> None:
    async with overflow_clouds(paths), courier_here(paths):
        connection = await CourierClient(paths.courier_socket).connect()
        await connection.send(1, sealed(paths))  # an envelope, without being attached
        assert await connection.receive() is None


@asynccontextmanager
async def started(courier: CourierProcess) -> AsyncIterator[None]:
    await courier.start()
    try:
        yield
    finally:
        assert await courier.stop() == 0


@pytest.mark.proves("record-of-egress")
async def test_killed_in_the_middle_and_a_full_disk(paths: SitePaths) -> None:
    courier = CourierProcess(paths)
    async with overflow_clouds(paths) as (cloud,), started(courier), attached(paths) as client:
        cloud.go_on.clear()
        answer = client.generate(sealed(paths), deadline_s=30)
        assert await anext(answer) == Text("The")
        await courier.kill()
        with pytest.raises(OverflowCut):
            await rest_of(answer)
        with pytest.raises(OverflowUnreachable):
            await replies(client, sealed(paths))
        assert reading.verify(paths.ledger).open_envelopes == 2  # the connection and the text
        cloud.go_on.set()
        await courier.start()
        await until(lambda: client.ready)
        assert [leaf.fields.get("outcome") for leaf in leaves(paths)].count("unknown") == 2
        assert await replies(client, sealed(paths)) == WHOLE
        await until(lambda: reading.verify(paths.ledger).open_envelopes == 1)

        written = paths.ledger.with_name("ledger.db-wal").stat().st_size
        asked, size = len(cloud.requests), written
        resource.prlimit(courier.pid, resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))
        with pytest.raises(OverflowRefused, match="ledger_failed"):
            await replies(client, sealed(paths))
        assert len(cloud.requests) == asked
        resource.prlimit(courier.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert await replies(client, sealed(paths)) == WHOLE  # there is room again
    assert reading.verify(paths.ledger).ok
    assert recorded(paths, "close") == len(cloud.requests)
