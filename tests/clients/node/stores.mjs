// The key-value and object stores with @nats-io/kv and @nats-io/obj.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
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
