"""Streams and consumers with nats-py. Never kills the server."""

import asyncio
import sys

import nats
from asyncio import TimeoutError as Timeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, NoStreamResponseError, NotFoundError

from harness import Server, eventually, fails, run


def with_jetstream(case):
    """A case with a fresh server and a JetStream context."""

    async def wrapped():
        async with Server() as server, await nats.connect(server.url) as client:
            await case(client.jetstream(timeout=10))

    return wrapped


def with_both_storages(case):
    """A case for files and once more for memory, each on its own server."""

    async def wrapped():
        for storage in (StorageType.FILE, StorageType.MEMORY):
            async with Server() as server, await nats.connect(server.url) as client:
                await case(client.jetstream(timeout=10), storage)

    return wrapped


async def fill(js, subject, first, last):
    """Bodies first..last as text, all acknowledged."""
    return await asyncio.gather(*(js.publish(subject, str(n).encode()) for n in range(first, last + 1)))


@with_both_storages
async def case_stream_life(js, storage):
    info = await js.add_stream(name="S", subjects=["s.>"], storage=storage)
    assert (info.config.storage, info.config.max_msgs, info.config.retention) == (storage, -1, "limits")
    assert [ack.seq for ack in await fill(js, "s.a", 1, 20)] == list(range(1, 21))
    info = await js.update_stream(name="S", subjects=["s.>", "t"], storage=storage, max_msgs=10)
    assert (info.state.messages, info.state.first_seq, info.state.last_seq) == (10, 11, 20)
    assert await js.find_stream_name_by_subject("t") == "S"
    assert [i.config.name for i in await js.streams_info()] == ["S"]
    assert (await js.account_info()).streams == 1
    assert await js.delete_stream("S")
    await fails(NotFoundError, js.stream_info("S"))
    error = await fails(NotFoundError, js.delete_stream("S"))
    assert (error.code, error.err_code, error.description) == (404, 10059, "stream not found")
    await fails(NoStreamResponseError, js.publish("s.a", b""))


@with_both_storages
async def case_messages(js, storage):
    await js.add_stream(name="S", subjects=["s.*"], storage=storage, allow_direct=True)
    for n in range(1, 10):
        await js.publish(f"s.{n % 3}", str(n).encode(), headers={"N": str(n)})
    message = await js.get_msg("S", 4)
    assert (message.subject, message.data, message.headers) == ("s.1", b"4", {"N": "4"})
    assert (await js.get_last_msg("S", "s.2")).seq == 8
    assert (await js.get_msg("S", 5, direct=True)).data == b"5"
    assert await js.delete_msg("S", 4)
    error = await fails(NotFoundError, js.get_msg("S", 4))
    assert error.err_code == 10037
    assert await js.purge_stream("S", subject="s.0", keep=1)
    assert (await js.stream_info("S")).state.messages == 6
    subjects = (await js.stream_info("S", subjects_filter=">")).state.subjects
    assert subjects == {"s.0": 1, "s.1": 2, "s.2": 3}
    await js.delete_stream("S")


@with_jetstream
async def case_duplicates_and_expectations(js):
    await js.add_stream(name="S", subjects=["s"])
    first = await js.publish("s", b"1", headers={"Nats-Msg-Id": "a"})
    again = await js.publish("s", b"1", headers={"Nats-Msg-Id": "a"})
    assert (first.seq, first.duplicate, again.seq, again.duplicate) == (1, None, 1, True)
    for name, value, number in (
        ("Nats-Expected-Last-Sequence", "7", 10071),
        ("Nats-Expected-Last-Msg-Id", "b", 10070),
        ("Nats-Expected-Stream", "T", 10060),
        ("Nats-Expected-Last-Subject-Sequence", "9", 10071),
    ):
        error = await fails(BadRequestError, js.publish("s", b"2", headers={name: value}))
        assert error.err_code == number, error
    assert (await js.publish("s", b"2", headers={"Nats-Expected-Last-Sequence": "1"})).seq == 2


@with_both_storages
async def case_limits(js, storage):
    await js.add_stream(name="S", subjects=["s.*"], storage=storage, max_msgs=3, discard=DiscardPolicy.NEW)
    await fill(js, "s.a", 1, 3)
    error = await fails(APIError, js.publish("s.a", b"4"))
    assert (error.code, error.err_code, error.description) == (503, 10077, "maximum messages exceeded")
    assert await js.delete_stream("S")
    await js.add_stream(name="T", subjects=["s.*"], storage=storage, max_msgs_per_subject=2, max_bytes=100_000)
    for subject in ("s.a", "s.b"):
        await fill(js, subject, 1, 5)
    assert (await js.stream_info("T")).state.messages == 4
    assert await js.delete_stream("T")
    await js.add_stream(name="U", subjects=["s.*"], storage=storage, max_age=0.5, duplicate_window=0.2)
    await fill(js, "s.a", 1, 5)

    async def empty():
        return (await js.stream_info("U")).state.messages == 0

    await eventually("expiry", empty)


@with_both_storages
async def case_pull_durable(js, storage):
    await js.add_stream(name="S", subjects=["s.*"], storage=storage)
    await fill(js, "s.a", 1, 100)
    durable = await js.pull_subscribe("s.*", "worker", config=ConsumerConfig(ack_wait=4))
    for message in await durable.fetch(60, timeout=10):
        await message.ack_sync()
    left = await durable.fetch(100, timeout=2)
    assert [m.metadata.sequence.stream for m in left] == list(range(61, 101))
    info = await durable.consumer_info()
    assert (info.ack_floor.stream_seq, info.num_ack_pending, info.num_pending) == (60, 40, 0)
    again = await durable.fetch(40, timeout=10)
    assert {m.metadata.num_delivered for m in again} == {2}
    for message in again:
        await message.ack_sync()
    await fails(Timeout, durable.fetch(1, timeout=0.3))
    await fails(Timeout, durable.fetch(2, timeout=1, heartbeat=0.2))
    assert (await durable.consumer_info()).ack_floor.stream_seq == 100
    await js.delete_stream("S")


@with_jetstream
async def case_nak_term_and_progress(js):
    await js.add_stream(name="S", subjects=["s"])
    await fill(js, "s", 1, 2)
    config = ConsumerConfig(ack_wait=2, max_deliver=3)
    worker = await js.pull_subscribe("s", "worker", config=config)
    loop = asyncio.get_running_loop()
    one, two = await worker.fetch(2, timeout=20)
    await two.term()
    begun = loop.time()
    await one.nak(delay=0.4)
    one = (await worker.fetch(1, timeout=20))[0]
    assert 0.3 < loop.time() - begun < 1.9, loop.time() - begun
    assert one.metadata.num_delivered == 2
    await one.in_progress()
    begun = loop.time()
    one = (await worker.fetch(1, timeout=20))[0]
    assert one.metadata.num_delivered == 3 and loop.time() - begun > 1.7
    await fails(Timeout, worker.fetch(1, timeout=2.5))


@with_jetstream
async def case_push_and_ordered(js):
    await js.add_stream(name="S", subjects=["s.*"])
    await fill(js, "s.a", 1, 500)
    pushed = await js.subscribe("s.*", durable="push", flow_control=True, idle_heartbeat=1, manual_ack=True)
    for n in range(1, 501):
        message = await pushed.next_msg(5)
        assert message.metadata.sequence.stream == n
        await message.ack()
    ordered = await js.subscribe("s.a", ordered_consumer=True)
    assert [(await ordered.next_msg(5)).data for _ in range(500)] == [b"%d" % n for n in range(1, 501)]
    last = await js.subscribe("s.a", deliver_policy=DeliverPolicy.LAST)
    assert (await last.next_msg(5)).data == b"500"
    body_less = await js.subscribe("s.a", deliver_policy=DeliverPolicy.LAST, headers_only=True)
    message = await body_less.next_msg(5)
    assert (message.data, message.headers["Nats-Msg-Size"]) == (b"", "3")


@with_jetstream
async def case_policies_and_filters(js):
    await js.add_stream(name="S", subjects=["s.*"])
    for n in range(1, 10):
        await js.publish(f"s.{n % 3}", str(n).encode())

    async def seen(count, subject="", **config):
        # The client writes its subject into the configuration as the filter.
        sub = await js.pull_subscribe(subject, stream="S", config=ConsumerConfig(ack_policy=AckPolicy.NONE, **config))
        return [m.metadata.sequence.stream for m in await sub.fetch(count, timeout=20)]

    assert await seen(9) == list(range(1, 10))
    assert await seen(1, deliver_policy=DeliverPolicy.LAST) == [9]
    assert await seen(4, deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=6) == [6, 7, 8, 9]
    assert await seen(3, "s.*", deliver_policy=DeliverPolicy.LAST_PER_SUBJECT) == [7, 8, 9]
    assert await seen(3, "s.1") == [1, 4, 7]
    assert await seen(6, filter_subjects=["s.1", "s.2"]) == [1, 2, 4, 5, 7, 8]


@with_jetstream
async def case_work_queue(js):
    await js.add_stream(StreamConfig(name="S", subjects=["s"], retention=RetentionPolicy.WORK_QUEUE))
    await fill(js, "s", 1, 10)
    worker = await js.pull_subscribe("s", "worker")
    await fails(BadRequestError, js.pull_subscribe("s", "second"))
    for message in await worker.fetch(7, timeout=20):
        await message.ack_sync()
    state = (await js.stream_info("S")).state
    assert (state.messages, state.first_seq) == (3, 8)


@with_jetstream
async def case_consumers_are_managed(js):
    await js.add_stream(name="S", subjects=["s"])
    for n in range(5):
        await js.add_consumer("S", durable_name=f"c{n}", ack_policy=AckPolicy.EXPLICIT)
    assert sorted(c.name for c in await js.consumers_info("S")) == [f"c{n}" for n in range(5)]
    changed = await js.add_consumer("S", durable_name="c1", ack_policy=AckPolicy.EXPLICIT, max_ack_pending=7)
    assert changed.config.max_ack_pending == 7
    assert await js.delete_consumer("S", "c1")
    error = await fails(NotFoundError, js.consumer_info("S", "c1"))
    assert (error.err_code, error.description) == (10014, "consumer not found")


if __name__ == "__main__":
    run(sys.modules[__name__])
