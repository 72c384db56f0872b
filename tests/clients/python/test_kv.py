"""Key-value buckets with nats-py. Never looks at the stream below."""

import asyncio
import sys

import nats
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BadRequestError, BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError

from harness import Server, eventually, fails, run


def with_bucket(**config):
    """A case for a bucket in a file and once more for one in memory, each on its own server."""

    def decorate(case):
        async def wrapped():
            for storage in (StorageType.FILE, StorageType.MEMORY):
                async with Server() as server, await nats.connect(server.url) as client:
                    js = client.jetstream(timeout=10)
                    await case(await js.create_key_value(KeyValueConfig(bucket="box", storage=storage, **config)))

        return wrapped

    return decorate


@with_bucket(history=5)
async def case_put_get_delete(kv):
    await fails(KeyNotFoundError, kv.get("a"))
    assert [await kv.put("a", b"1"), await kv.put("a", b"2"), await kv.put("deep.key", b"3")] == [1, 2, 3]
    entry = await kv.get("a")
    assert (entry.value, entry.revision) == (b"2", 2)
    assert (await kv.get("a", revision=1)).value == b"1"
    await kv.delete("a")
    await fails(KeyNotFoundError, kv.get("a"))
    assert await kv.put("a", b"5") == 5
    assert (await kv.status()).values == 5


@with_bucket(history=5)
async def case_create_and_update(kv):
    assert await kv.create("lock", b"one") == 1
    await fails(KeyWrongLastSequenceError, kv.create("lock", b"two"))
    assert await kv.update("lock", b"three", last=1) == 2
    error = await fails(KeyWrongLastSequenceError, kv.update("lock", b"four", last=1))
    assert "wrong last sequence: 2" in str(error), error
    error = await fails(BadRequestError, kv.delete("lock", last=1))
    assert "wrong last sequence: 2" in str(error), error
    await kv.delete("lock", last=2)
    assert await kv.create("lock", b"again") == 4
    tries = await asyncio.gather(*(kv.create("race", b"%d" % n) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(t, int) for t in tries) == 1, tries


@with_bucket(history=3)
async def case_history(kv):
    for n in range(1, 7):
        await kv.put("a", b"%d" % n)
        await kv.put("b", b"%d" % n)
    await kv.delete("a")
    seen = [(e.value or b"", e.operation) for e in await kv.history("a")]
    assert seen == [(b"5", None), (b"6", None), (b"", "DEL")]
    assert [e.value for e in await kv.history("b")] == [b"4", b"5", b"6"]


@with_bucket(history=5)
async def case_purge(kv):
    for n in range(1, 4):
        await kv.put("a", b"%d" % n)
        await kv.put("b", b"%d" % n)
    await kv.purge("a")
    await fails(KeyNotFoundError, kv.get("a"))
    assert [e.operation for e in await kv.history("a")] == ["PURGE"]
    assert len(await kv.history("b")) == 3


@with_bucket(history=5)
async def case_watch(kv):
    await kv.put("before", b"0")
    watcher = await kv.watchall()
    entry = await watcher.updates(5)
    assert (entry.key, entry.value) == ("before", b"0")
    assert await watcher.updates(5) is None
    await kv.put("a.x", b"1")
    await kv.delete("a.x")
    await kv.purge("a.x")
    seen = [await watcher.updates(5) for _ in range(3)]
    assert [(e.key, e.value or b"", e.operation) for e in seen] == [
        ("a.x", b"1", None),
        ("a.x", b"", "DEL"),
        ("a.x", b"", "PURGE"),
    ]
    await watcher.stop()


@with_bucket()
async def case_keys(kv):
    for n in range(30):
        await kv.put(f"key.{n}", b"x")
    await kv.delete("key.7")
    assert sorted(await kv.keys()) == sorted(f"key.{n}" for n in range(30) if n != 7)


@with_bucket(history=5)
async def case_deletes_are_purged(kv):
    for key in ("a", "b"):
        await kv.put(key, b"1")
        await kv.put(key, b"2")
    await kv.delete("a")
    # A mark younger than that stays, and what is before it goes.
    await kv.purge_deletes(olderthan=1800)
    assert [len(await kv.history(key)) for key in ("a", "b")] == [1, 2]
    await kv.purge_deletes(olderthan=-1)
    assert (await kv.status()).values == 2
    assert await kv.keys() == ["b"]


@with_bucket(ttl=0.5)
async def case_expiry(kv):
    await kv.put("short", b"1")
    assert (await kv.get("short")).value == b"1"

    async def gone():
        try:
            await kv.get("short")
        except KeyNotFoundError:
            return True
        return False

    await eventually("expiry", gone)


@with_bucket(history=5, limit_marker_ttl=1)
async def case_what_ends_on_its_own_is_told(kv):
    watcher = await kv.watchall()
    assert await watcher.updates(30) is None
    await kv.create("brief", b"1", msg_ttl=1)
    await kv.put("purged", b"2")
    await kv.purge("purged", msg_ttl=1)
    seen = [await watcher.updates(30) for _ in range(4)]
    ends = sorted((e.key, e.operation) for e in seen if e.operation)
    assert ends == [("brief", "PURGE"), ("purged", "PURGE")], ends
    assert sorted(e.key for e in seen if not e.operation) == ["brief", "purged"]
    await watcher.stop()


@with_bucket(history=5)
async def case_watch_options(kv):
    await kv.put("a", b"1")
    await kv.put("a", b"2")
    await kv.put("b", b"3")
    await kv.delete("b")

    async def seen(keys, **options):
        watcher = await kv.watch(keys, **options)
        entries = []
        while (entry := await watcher.updates(30)) is not None:
            entries.append((entry.key, entry.revision, entry.value or b""))
        await watcher.stop()
        return entries

    assert await seen(">") == [("a", 2, b"2"), ("b", 4, b"")]
    assert await seen(">", ignore_deletes=True) == [("a", 2, b"2")]
    assert [e[1] for e in await seen(">", include_history=True)] == [1, 2, 3, 4]
    assert await seen("a", meta_only=True) == [("a", 2, b"")]
    assert await seen("c.*") == []


async def case_a_bucket_outlives_the_process():
    async with Server() as server:
        async with await nats.connect(server.url) as client:
            kv = await client.jetstream().create_key_value(bucket="box", history=3)
            for n in range(1, 21):
                await kv.put(f"key.{n % 4}", b"%d" % n)
            await kv.delete("key.3")
        assert server.terminate() == 0
        await server.start()
        async with await nats.connect(server.url) as client:
            js = client.jetstream()
            kv = await js.key_value("box")
            assert (await kv.get("key.0")).value == b"20"
            await fails(KeyNotFoundError, kv.get("key.3"))
            assert len(await kv.history("key.1")) == 3
            assert await js.delete_key_value("box")
            await fails(BucketNotFoundError, js.key_value("box"))


if __name__ == "__main__":
    run(sys.modules[__name__])
