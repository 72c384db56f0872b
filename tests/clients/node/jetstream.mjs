// Streams, publishing and the API of JetStream with @nats-io/jetstream. Never takes from a consumer.

import assert from "node:assert/strict";
import { jetstream, jetstreamManager, JetStreamApiError } from "@nats-io/jetstream";
import { headers, millis } from "@nats-io/transport-node";
import { eventually, run } from "./harness.mjs";

async function all(things) {
  const found = [];
  for await (const thing of await things) found.push(thing);
  return found;
}

async function refusal(action) {
  const error = await action.then(() => null, (e) => e);
  assert.ok(error instanceof JetStreamApiError, `expected a refusal, got ${error}`);
  return [error.status, error.code, error.message];
}

/** A manager, a publisher, and a stream S on s.*. */
async function stream(nc, more = {}) {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "S", subjects: ["s.*"], ...more });
  return { jsm, js: jsm.jetstream() };
}

async function fill(js, subject, first, last) {
  for (let n = first; n <= last; n += 1) await js.publish(subject, `${n}`);
}

await run({
  async stream_life(nc) {
    const { jsm, js } = await stream(nc, { description: "one" });
    await fill(js, "s.a", 1, 20);
    const changed = await jsm.streams.update("S", { subjects: ["s.*", "t"], max_msgs: 10 });
    assert.deepEqual([changed.state.messages, changed.state.first_seq, changed.config.description], [10, 11, "one"]);
    assert.equal(await jsm.streams.find("t"), "S");
    assert.deepEqual(await all(jsm.streams.names()), ["S"]);
    assert.deepEqual((await all(jsm.streams.list("s.*"))).map((i) => i.config.name), ["S"]);
    assert.deepEqual(await refusal(jsm.streams.add({ name: "S", subjects: ["u"] })), [
      400, 10058, "stream name already in use with a different configuration",
    ]);
    assert.deepEqual(await refusal(jsm.streams.add({ name: "T", subjects: ["s.x"] })), [
      400, 10065, "subjects overlap with an existing stream",
    ]);
    assert.equal(await jsm.streams.delete("S"), true);
    assert.deepEqual(await refusal(jsm.streams.info("S")), [404, 10059, "stream not found"]);
  },

  async publish_expectations(nc) {
    const { js } = await stream(nc);
    const first = await js.publish("s.a", "1", { msgID: "a" });
    const again = await js.publish("s.a", "1", { msgID: "a" });
    assert.deepEqual([first.seq, first.duplicate, again.seq, again.duplicate], [1, false, 1, true]);
    for (const [expect, code] of [
      [{ lastSequence: 7 }, 10071],
      [{ lastMsgID: "b" }, 10070],
      [{ streamName: "T" }, 10060],
      [{ lastSubjectSequence: 9 }, 10071],
    ]) {
      assert.equal((await refusal(js.publish("s.a", "2", { expect })))[1], code);
    }
    const right = { lastSequence: 1, lastMsgID: "a", streamName: "S", lastSubjectSequence: 1 };
    assert.equal((await js.publish("s.a", "2", { expect: right })).seq, 2);
    assert.equal((await js.publish("s.b", "3", { expect: { lastSubjectSequence: 0 } })).seq, 3);
  },

  async get_delete_and_purge(nc) {
    const { jsm, js } = await stream(nc, { allow_direct: true });
    for (let n = 1; n < 10; n += 1) {
      const h = headers();
      h.set("N", `${n}`);
      await js.publish(`s.${n % 3}`, `${n}`, { headers: h });
    }
    const fourth = await jsm.streams.getMessage("S", { seq: 4 });
    assert.deepEqual([fourth.subject, fourth.string(), fourth.header.get("N")], ["s.1", "4", "4"]);
    assert.equal((await jsm.direct.getMessage("S", { last_by_subj: "s.2" })).seq, 8);
    assert.equal((await jsm.direct.getMessage("S", { seq: 5, next_by_subj: "s.0" })).seq, 6);
    const batch = await all(jsm.direct.getBatch("S", { seq: 2, batch: 3 }));
    assert.deepEqual(batch.map((m) => m.seq), [2, 3, 4]);
    const last = await all(jsm.direct.getLastMessagesFor("S", { multi_last: ["s.0", "s.2"] }));
    assert.deepEqual(last.map((m) => m.seq), [8, 9]);
    assert.equal(await jsm.streams.deleteMessage("S", 4), true);
    assert.equal(await jsm.streams.getMessage("S", { seq: 4 }), null);
    assert.equal((await jsm.streams.purge("S", { filter: "s.0", keep: 1 })).purged, 2);
    const { state } = await jsm.streams.info("S", { subjects_filter: ">", deleted_details: true });
    assert.deepEqual([state.subjects, state.deleted], [{ "s.0": 1, "s.1": 2, "s.2": 3 }, [3, 4, 6]]);
  },

  async limits_and_expiry(nc) {
    const { jsm, js } = await stream(nc, { max_msgs: 3, discard: "new", allow_msg_ttl: true });
    await fill(js, "s.a", 1, 3);
    assert.deepEqual(await refusal(js.publish("s.a", "4")), [503, 10077, "maximum messages exceeded"]);
    await jsm.streams.purge("S");
    await js.publish("s.a", "brief", { ttl: "1s" });
    await eventually("the message's end", async () => (await jsm.streams.info("S")).state.messages === 0);
  },

  async account_info_counts(nc) {
    const { jsm, js } = await stream(nc, { storage: "memory" });
    await fill(js, "s.a", 1, 5);
    await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
    const info = await jsm.getAccountInfo();
    assert.deepEqual([info.streams, info.consumers, info.limits.max_streams], [1, 1, -1]);
    assert.ok(info.memory > 0 && info.storage === 0 && info.api.total > 2 && info.api.errors === 0);
  },

  async advisories_tell_of_the_stream(nc) {
    const jsm = await jetstreamManager(nc);
    const told = jsm.advisories();
    await jsm.streams.add({ name: "S", subjects: ["s.*"] });
    await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
    await jsm.streams.delete("S");
    const kinds = [];
    for await (const advisory of told) {
      const { type, action, stream, consumer } = advisory.data;
      if (type.endsWith("api_audit")) continue;
      kinds.push([type.split(".").pop(), action, stream, consumer]);
      if (kinds.length === 4) break;
    }
    assert.deepEqual(kinds, [
      ["stream_action", "create", "S", undefined],
      ["consumer_action", "create", "S", "d"],
      ["consumer_action", "delete", "S", "d"],
      ["stream_action", "delete", "S", undefined],
    ]);
  },

  async consumers_are_managed(nc) {
    const { jsm } = await stream(nc);
    for (let n = 0; n < 3; n += 1) {
      await jsm.consumers.add("S", { durable_name: `c${n}`, ack_policy: "explicit" });
    }
    assert.deepEqual((await all(jsm.consumers.list("S"))).map((c) => c.name).sort(), ["c0", "c1", "c2"]);
    const changed = await jsm.consumers.update("S", "c1", { max_ack_pending: 7 });
    assert.equal(changed.config.max_ack_pending, 7);
    const paused = await jsm.consumers.pause("S", "c1", new Date(Date.now() + 60_000));
    assert.ok(paused.paused);
    const info = await jsm.consumers.info("S", "c1");
    assert.ok(info.paused && millis(info.pause_remaining) <= 60_000);
    assert.ok(!(await jsm.consumers.resume("S", "c1")).paused);
    assert.equal(await jsm.consumers.delete("S", "c1"), true);
    assert.deepEqual(await refusal(jsm.consumers.info("S", "c1")), [404, 10014, "consumer not found"]);
    assert.equal((await jetstream(nc).consumers.get("S", "c0")).isPullConsumer(), true);
  },
});
