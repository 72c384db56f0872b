"""What nats-py was told is stored or done is so after kill -9. Never tests power loss."""

import asyncio
import sys

import nats
from nats.js.api import AckPolicy, ConsumerConfig

from harness import Server, eventually, is_original, noise, run

STREAMS = 3
MESSAGES = 10_000
# As many may be stored without our having heard of it, so a smaller number notices a smaller loss.
WINDOW = 8
ACK_WAIT = 2


class Promises:
    """What the clients of one stream were promised."""

    def __init__(self):
        self.stored = {}
        self.done = {}
        self.tried = set()

    def binding(self, now, grace):
        """Sequences that may not come again after a kill at this time."""
        return {sequence for sequence, at in self.done.items() if now - at >= grace}


def body(stream, number):
    """The body of a message, from which all of it can be checked again."""
    return b"%d " % number + noise(stream << 32 | number, 20 + number % 300)


def server():
    """The server, and how old a consumer's ack has to be before the server is held to it.

    The original promises messages only when it syncs each write, and writes the state of consumers
    behind its confirmations in any case.
    """
    if is_original():
        return Server("jetstream { sync_interval: always }\n"), 1.0
    return Server(), 0.0


async def lost(_):
    """A lost connection is what this script is about."""


async def connect(url):
    return await nats.connect(url, error_cb=lost, allow_reconnect=False)


async def publish(js, stream, numbers, promises):
    """Publishes without end; several of these share the numbers of one stream."""
    for number in numbers:
        ack = await js.publish(f"d{stream}.{number % 10}", body(stream, number))
        assert ack.seq not in promises.stored, f"sequence {ack.seq} was given twice"
        promises.stored[ack.seq] = number


async def consume(worker, promises):
    """Takes without end, acknowledges two of three, and writes down what was confirmed."""
    loop = asyncio.get_running_loop()

    async def done(message):
        sequence = message.metadata.sequence.stream
        if sequence % 3:
            promises.tried.add(sequence)
            await message.ack_sync(timeout=10)
            promises.done[sequence] = loop.time()

    while True:
        await asyncio.gather(*[done(message) for message in await worker.fetch(20, timeout=10)])


def count():
    number = 0
    while True:
        yield number
        number += 1


async def work_until_killed(server, grace, ledger):
    """Everybody at work, then a kill in the middle of it; returns its time."""
    client = await connect(server.url)
    js = client.jetstream(timeout=20)
    tasks = []
    for stream, promises in enumerate(ledger):
        await js.add_stream(name=f"D{stream}", subjects=[f"d{stream}.*"])
        config = ConsumerConfig(ack_wait=ACK_WAIT, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=100_000)
        worker = await js.pull_subscribe(f"d{stream}.*", "worker", config=config)
        numbers = count()
        tasks += [asyncio.ensure_future(publish(js, stream, numbers, promises)) for _ in range(WINDOW)]
        tasks.append(asyncio.ensure_future(consume(worker, promises)))
    loop = asyncio.get_running_loop()

    def enough():
        for task in tasks:
            assert not task.done(), task.exception()
        stored = sum(len(promises.stored) for promises in ledger)
        return stored >= MESSAGES and all(len(p.binding(loop.time(), grace)) >= 200 for p in ledger)

    await eventually("enough promises", enough, 40)
    at = loop.time()
    server.kill()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()
    return at


async def read_back(js, stream):
    """Every message of the stream, checked against what was sent."""
    last = (await js.stream_info(f"D{stream}")).state.last_seq
    reader = await js.subscribe(f"d{stream}.*", ordered_consumer=True)
    found = {}
    while last not in found:
        message = await reader.next_msg(20)
        number = int(message.data.split(b" ", 1)[0])
        assert message.data == body(stream, number), f"stream {stream}: message {number} is damaged"
        found[message.metadata.sequence.stream] = number
    await reader.unsubscribe()
    return found


async def still_delivered(js, stream):
    """Every sequence the worker is still given, until nothing is left for it."""
    worker = await js.pull_subscribe_bind(durable="worker", stream=f"D{stream}")
    seen = set()
    while True:
        try:
            batch = await worker.fetch(500, timeout=ACK_WAIT / 4)
        # nats-py raises its own kind of it or the plain one, by where the time runs out.
        except asyncio.TimeoutError:
            info = await worker.consumer_info()
            if not info.num_pending and not info.num_ack_pending:
                return seen
            continue
        for message in batch:
            seen.add(message.metadata.sequence.stream)
            await message.ack()


async def case_ten_thousand_acknowledged_and_killed():
    instance, grace = server()
    ledger = [Promises() for _ in range(STREAMS)]
    async with instance:
        at = await work_until_killed(instance, grace, ledger)
        await instance.start()
        async with await connect(instance.url) as client:
            js = client.jetstream(timeout=20)
            for stream, promises in enumerate(ledger):
                found = await read_back(js, stream)
                wrong = [s for s, number in promises.stored.items() if found.get(s) != number]
                assert not wrong, f"stream {stream}: lost or changed: {wrong}"
                again = await still_delivered(js, stream)
                twice = sorted(again & promises.binding(at, grace))
                assert not twice, f"stream {stream}: acknowledged and delivered again: {twice}"
                forgotten = sorted(set(found) - again - promises.tried)
                assert not forgotten, f"stream {stream}: never delivered: {forgotten}"


async def case_an_ordered_end_keeps_everything():
    async with Server() as instance:
        async with await connect(instance.url) as client:
            js = client.jetstream(timeout=20)
            await js.add_stream(name="D0", subjects=["d0.*"])
            await asyncio.gather(*(js.publish("d0.a", body(0, n)) for n in range(1000)))
            worker = await js.pull_subscribe("d0.*", "worker")
            for message in await worker.fetch(400, timeout=10):
                await message.ack_sync(timeout=10)
        assert instance.terminate() == 0
        await instance.start()
        async with await connect(instance.url) as client:
            js = client.jetstream(timeout=20)
            assert len(await read_back(js, 0)) == 1000
            assert await still_delivered(js, 0) == set(range(401, 1001))


if __name__ == "__main__":
    run(sys.modules[__name__])
