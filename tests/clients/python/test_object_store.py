"""Object stores with nats-py, with objects of many chunks. Never looks at the stream below."""

import sys

import nats
from nats.js.api import ObjectMeta, ObjectMetaOptions, ObjectStoreConfig, StorageType
from nats.js.errors import APIError, ObjectNotFoundError

from harness import Server, fails, noise, run

MIB = 1024 * 1024


def with_store(case):
    """A case for a store in a file and once more for one in memory, each on its own server."""

    async def wrapped():
        for storage in (StorageType.FILE, StorageType.MEMORY):
            async with Server() as server, await nats.connect(server.url) as client:
                config = ObjectStoreConfig(storage=storage)
                await case(await client.jetstream(timeout=10).create_object_store("objects", config))

    return wrapped


@with_store
async def case_five_mebibytes(store):
    content = noise(5, 5 * MIB)
    info = await store.put("large", content)
    assert (info.size, info.chunks) == (5 * MIB, 40)
    assert info.digest.startswith("SHA-256=")
    assert (await store.get("large")).data == content
    assert (await store.status()).size > 5 * MIB


@with_store
async def case_list_replace_delete(store):
    await store.put("a", b"first")
    await store.put("b/with spaces", noise(6, 300_000))
    await store.put("empty", b"")
    assert sorted(i.name for i in await store.list()) == ["a", "b/with spaces", "empty"]
    await store.put("a", b"second")
    assert (await store.get("a")).data == b"second"
    assert len((await store.get("b/with spaces")).data) == 300_000
    assert not (await store.get("empty")).data
    await store.delete("a")
    await fails(ObjectNotFoundError, store.get("a"))
    assert sorted(i.name for i in await store.list() if not i.deleted) == ["b/with spaces", "empty"]


@with_store
async def case_metadata(store):
    meta = ObjectMeta(description="described", options=ObjectMetaOptions(max_chunk_size=1000))
    info = await store.put("named", b"7" * 2500, meta=meta)
    assert (info.chunks, info.description) == (3, "described")
    await store.update_meta("named", ObjectMeta(name="named", description="changed"))
    info = await store.get_info("named")
    assert (info.size, info.description) == (2500, "changed")
    await fails(ObjectNotFoundError, store.get_info("other"))


@with_store
async def case_watch(store):
    watcher = await store.watch()
    assert await watcher.updates(5) is None
    await store.put("one", b"1")
    await store.put("two", b"2")
    await store.delete("one")
    seen = [await watcher.updates(5) for _ in range(3)]
    assert [(i.name, bool(i.deleted)) for i in seen] == [("one", False), ("two", False), ("one", True)]
    await watcher.stop()


@with_store
async def case_seal(store):
    await store.put("kept", b"1")
    await store.seal()
    assert (await store.status()).sealed
    error = await fails(APIError, store.put("late", b"2"))
    assert error.err_code == 10109, error
    assert (await store.get("kept")).data == b"1"


@with_store
async def case_watch_updates_only(store):
    await store.put("before", b"1")
    watcher = await store.watch(updates_only=True)
    await store.put("after", b"2")
    entry = await watcher.updates(30)
    while entry is None:
        entry = await watcher.updates(30)
    assert entry.name == "after"
    await watcher.stop()


async def case_a_store_outlives_the_process():
    content = noise(7, 2 * MIB)
    async with Server() as server:
        async with await nats.connect(server.url) as client:
            await (await client.jetstream().create_object_store("objects")).put("kept", content)
        assert server.terminate() == 0
        await server.start()
        async with await nats.connect(server.url) as client:
            store = await client.jetstream().object_store("objects")
            assert (await store.get("kept")).data == content


if __name__ == "__main__":
    run(sys.modules[__name__])
