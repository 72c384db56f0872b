// The key-value and object stores with @nats-io/kv and @nats-io/obj.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm, KvWatchInclude } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { eventually, run } from "./harness.mjs";

async function all(things) {
  const found = [];
  for await (const thing of await things) found.push(thing);
  return found;
}

const bucket = (nc, options) => new Kvm(jetstream(nc)).create("b", options);

await run({
  async keys_and_revisions(nc) {
    const kv = await bucket(nc, { history: 3 });
    for (const value of ["1", "2", "3", "4"]) await kv.put("k", value);
    const entry = await kv.get("k");
    assert.deepEqual([entry.string(), entry.revision, entry.operation], ["4", 4, "PUT"]);
    assert.deepEqual((await all(kv.history({ key: "k" }))).map((e) => e.string()), ["2", "3", "4"]);
    assert.equal((await kv.get("k", { revision: 3 })).string(), "3");
    assert.equal(await kv.create("new", "x"), 5);
    await assert.rejects(kv.create("new", "y"), /wrong last sequence: 5/);
    assert.equal(await kv.update("new", "z", 5), 6);
    await assert.rejects(kv.update("new", "z", 5), /wrong last sequence: 6/);
    await kv.delete("k");
    assert.equal((await kv.get("k")).operation, "DEL");
    await kv.purge("new");
    assert.deepEqual(await all(kv.keys()), []);
    const status = await kv.status();
    assert.deepEqual([status.bucket, status.history], ["b", 3]);
    assert.equal(await kv.destroy(), true);
  },

  async watch(nc) {
    const kv = await bucket(nc, {});
    await kv.put("a.1", "x");
    await kv.put("b.1", "y");
    const watch = await kv.watch({ key: "a.*" });
    const seen = [];
    (async () => {
      for await (const entry of watch) seen.push([entry.key, entry.operation]);
    })();
    await eventually("what is there", () => seen.length === 1);
    await kv.put("a.2", "z");
    await kv.delete("a.1");
    await kv.put("b.2", "z");
    await eventually("what comes", () => seen.length === 3);
    assert.deepEqual(seen, [["a.1", "PUT"], ["a.2", "PUT"], ["a.1", "DEL"]]);
    watch.stop();
  },

  async keys_end_on_their_own(nc) {
    const kv = await bucket(nc, { markerTTL: 1000 });
    await kv.create("k", "brief", "1s");
    assert.equal((await kv.get("k")).string(), "brief");
    await eventually("its end", async () => {
      const entry = await kv.get("k");
      return entry === null || entry.operation !== "PUT";
    });
  },

  async what_ends_on_its_own_is_told(nc) {
    const kv = await bucket(nc, { markerTTL: 1000, history: 3 });
    const watch = await kv.watch({ include: KvWatchInclude.UpdatesOnly });
    const next = watch[Symbol.asyncIterator]();
    const told = async () => {
      const { value } = await next.next();
      return [value.key, value.operation];
    };
    await kv.create("k", "brief", "1s");
    assert.deepEqual(await told(), ["k", "PUT"]);
    const [key, operation] = await told();
    assert.equal(key, "k");
    assert.notEqual(operation, "PUT");
    await kv.put("p", "1");
    assert.deepEqual(await told(), ["p", "PUT"]);
    await kv.purge("p", { ttl: "1s" });
    assert.deepEqual(await told(), ["p", "PURGE"]);
    await eventually("the purge's own end", async () => (await kv.get("p")) === null, 60_000);
    watch.stop();
  },

  async watches_begin_where_they_are_told(nc) {
    const kv = await bucket(nc, { history: 5 });
    for (const value of ["1", "2", "3"]) await kv.put("a", value);
    await kv.put("b", "4");
    await kv.delete("b");
    const seen = async (options, count) => {
      const found = [];
      for await (const entry of await kv.watch(options)) {
        found.push([entry.key, entry.operation, entry.revision]);
        if (found.length === count) break;
      }
      return found;
    };
    assert.deepEqual(await seen({}, 2), [["a", "PUT", 3], ["b", "DEL", 5]]);
    const history = await seen({ include: KvWatchInclude.AllHistory, key: "a" }, 3);
    assert.deepEqual(history.map((entry) => entry[2]), [1, 2, 3]);
    assert.deepEqual(await seen({ resumeFromRevision: 4 }, 2), [["b", "PUT", 4], ["b", "DEL", 5]]);
    assert.deepEqual(await seen({ key: ["a", "b"], headers_only: true }, 2), [["a", "PUT", 3], ["b", "DEL", 5]]);
    const kept = seen({ include: KvWatchInclude.AllHistory, ignoreDeletes: true }, 5);
    await kv.put("c", "6");
    assert.deepEqual((await kept).map((entry) => entry[2]), [1, 2, 3, 4, 6]);
  },

  async buckets_that_copy_others(nc) {
    const kvm = new Kvm(jetstream(nc));
    const [one, two] = [await kvm.create("one", { history: 5 }), await kvm.create("two")];
    await one.put("a", "1");
    await one.put("a", "2");
    await two.put("b", "3");
    // The package asks a mirror of the same account for keys it never has, so the stream below is asked.
    const mirrored = await kvm.create("mirrored", { history: 5, mirror: { name: "one" } });
    await eventually("the mirror", async () => (await mirrored.status()).values === 2, 60_000);
    const { streams } = await jetstreamManager(nc);
    const last = await streams.getMessage("KV_mirrored", { last_by_subj: "$KV.one.a" });
    assert.deepEqual([last.seq, last.string()], [2, "2"]);
    const sourced = await kvm.create("sourced", { sources: [{ name: "one" }, { name: "two" }] });
    await eventually("both sources", async () => (await all(sourced.keys())).length === 2, 60_000);
    await one.delete("a");
    await eventually("what is gone", async () => (await sourced.get("a")).operation === "DEL", 60_000);
    assert.deepEqual(await all(sourced.keys()), ["b"]);
    await eventually("the mark", async () => (await mirrored.status()).values === 3, 60_000);
  },

  async links_and_changes_of_objects(nc) {
    const objm = new Objm(jetstream(nc));
    const [store, other] = [await objm.create("o", { ttl: 0 }), await objm.create("other")];
    const bytes = (text) => new TextEncoder().encode(text);
    const text = async (from, name) => new TextDecoder().decode(await from.getBlob(name));
    const changes = (await store.watch({ includeHistory: true }))[Symbol.asyncIterator]();
    await store.putBlob({ name: "x" }, bytes("1"));
    await store.putBlob({ name: "x" }, bytes("2"));
    await store.delete("x");
    const told = [];
    for (let n = 0; n < 3; n++) {
      const { value } = await changes.next();
      told.push([value.name, value.deleted]);
    }
    assert.deepEqual(told, [["x", false], ["x", false], ["x", true]]);
    const info = await other.putBlob({ name: "y" }, bytes("3"));
    await store.link("to_y", info);
    assert.equal(await text(store, "to_y"), "3");
    await store.linkStore("to_other", other);
    assert.equal((await store.info("to_other")).options.link.bucket, "other");
    await assert.rejects(store.link("again", await store.info("to_y")), /link/);
    const status = await store.status();
    assert.deepEqual([status.bucket, status.sealed, status.storage], ["o", false, "file"]);
  },

  async objects(nc) {
    const store = await new Objm(jetstream(nc)).create("o", { description: "things" });
    const body = new Uint8Array(randomBytes(3 * 128 * 1024 + 5));
    const info = await store.putBlob({ name: "x" }, body);
    assert.deepEqual([info.size, info.chunks, info.deleted], [body.length, 4, false]);
    assert.deepEqual(await store.getBlob("x"), body);
    await store.link("l", info);
    assert.deepEqual(await store.getBlob("l"), body);
    await store.update("x", { name: "y", description: "renamed" });
    assert.equal(await store.get("x"), null);
    assert.equal((await store.info("y")).description, "renamed");
    await store.delete("y");
    assert.deepEqual((await store.list()).map((i) => i.name), ["l"]);
    await store.seal();
    await assert.rejects(store.putBlob({ name: "z" }, body), /sealed stream/);
    assert.equal((await store.status()).sealed, true);
    assert.equal(await store.destroy(), true);
  },
});
