"""Core publish and subscribe with nats-py. Never touches JetStream."""

import asyncio
import sys

import nats
from nats.errors import MaxPayloadError, NoRespondersError

from harness import Server, eventually, fails, run


async def case_publish_and_subscribe():
    async with Server() as server, await nats.connect(server.url) as one, await nats.connect(server.url) as two:
        inbox = await two.subscribe("greetings")
        await two.flush()
        await one.publish("greetings", b"hello", reply="answers")
        message = await inbox.next_msg(5)
        assert (message.subject, message.data, message.reply) == ("greetings", b"hello", "answers")
        for n in range(2000):
            await one.publish("greetings", str(n).encode())
        assert [(await inbox.next_msg(5)).data for _ in range(2000)] == [str(n).encode() for n in range(2000)]


async def case_wildcards():
    async with Server() as server, await nats.connect(server.url) as client:
        star, rest = await client.subscribe("a.*.c"), await client.subscribe("a.>")
        for subject in ("a", "a.b", "a.b.c", "a.b.c.d", "b.b.c"):
            await client.publish(subject)
        await client.flush()
        assert (await star.next_msg(5)).subject == "a.b.c"
        assert [(await rest.next_msg(5)).subject for _ in range(3)] == ["a.b", "a.b.c", "a.b.c.d"]
        assert star.pending_msgs == rest.pending_msgs == 0


async def case_queue_group():
    async with Server() as server, await nats.connect(server.url) as client:
        shares = [0, 0, 0]

        def member(index):
            async def take(_):
                shares[index] += 1

            return take

        for index in range(3):
            await client.subscribe("jobs", queue="workers", cb=member(index))
        await client.flush()
        for _ in range(300):
            await client.publish("jobs")
        await client.flush()
        await eventually("all jobs", lambda: sum(shares) == 300)
        assert all(shares), shares


async def case_request_and_no_responders():
    async with Server() as server, await nats.connect(server.url) as client:
        async def answer(message):
            await message.respond(str(int(message.data) + 1).encode())

        await client.subscribe("add.one", cb=answer)
        assert (await client.request("add.one", b"41", timeout=20)).data == b"42"
        answers = await asyncio.gather(*(client.request("add.one", str(n).encode(), timeout=20) for n in range(100)))
        assert [int(a.data) for a in answers] == list(range(1, 101))
        await fails(NoRespondersError, client.request("add.two", b"1", timeout=20))


async def case_headers():
    async with Server() as server, await nats.connect(server.url) as client:
        inbox = await client.subscribe("with.headers")
        headers = {"Kind": "test", "case-Is-Kept": "yes"}
        await client.publish("with.headers", b"body", headers=headers)
        await client.publish("with.headers", b"", headers=headers)
        for body in (b"body", b""):
            message = await inbox.next_msg(5)
            assert (message.data, message.headers) == (body, headers)


async def case_unsubscribe_after_maximum():
    async with Server() as server, await nats.connect(server.url) as client:
        limited, plain = await client.subscribe("limited"), await client.subscribe("limited")
        await limited.unsubscribe(limit=3)
        for n in range(6):
            await client.publish("limited", str(n).encode())
        await client.flush()
        assert [(await plain.next_msg(5)).data for _ in range(6)] == [b"%d" % n for n in range(6)]
        assert [(await limited.next_msg(5)).data for _ in range(3)] == [b"0", b"1", b"2"]
        assert limited.pending_msgs == 0


async def case_drain():
    async with Server() as server, await nats.connect(server.url) as sender:
        receiver = await nats.connect(server.url)
        seen = []

        async def take(message):
            seen.append(message.data)

        await receiver.subscribe("draining", cb=take)
        await receiver.flush()
        for n in range(200):
            await sender.publish("draining", str(n).encode())
        await sender.flush()
        await receiver.drain()
        assert len(seen) == 200, len(seen)
        assert receiver.is_closed


async def case_max_payload():
    async with Server("max_payload: 100k\n") as server, await nats.connect(server.url) as client:
        assert client.max_payload == 100_000
        inbox = await client.subscribe("big")
        await client.publish("big", b"x" * 100_000)
        assert len((await inbox.next_msg(5)).data) == 100_000
        await fails(MaxPayloadError, client.publish("big", b"x" * 100_001))


async def case_reconnect_to_the_same_port():
    async with Server() as server:
        port = server.url.rsplit(":", 1)[1]
        back = asyncio.Event()

        async def reconnected():
            back.set()

        async def lost(_):
            """The loss of the connection is what this case is about."""

        client = await nats.connect(
            server.url, reconnected_cb=reconnected, error_cb=lost, reconnect_time_wait=0.05, max_reconnect_attempts=-1
        )
        inbox = await client.subscribe("again")
        server.kill()
        await server.start(port)
        await asyncio.wait_for(back.wait(), 15)
        await client.publish("again", b"yes")
        assert (await inbox.next_msg(5)).data == b"yes"
        await client.close()


if __name__ == "__main__":
    run(sys.modules[__name__])
