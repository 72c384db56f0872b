// Taking messages with @nats-io/jetstream: the simplified API over pull and push consumers.
// What a message costs in bytes, for max_bytes, is pinned by the counts of these cases.

import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { eventually, run } from "./harness.mjs";

/** A stream S on s.* with this many messages of s.a, and a durable consumer d of it. */
async function consumer(nc, count, config = {}, storage = "file") {
  const jsm = await jetstreamManager(nc);
  const js = jsm.jetstream();
  await jsm.streams.add({ name: "S", subjects: ["s.*"], storage });
  await publish(js, count);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", ...config });
  return { jsm, js, d: config.deliver_subject ? null : await js.consumers.get("S", "d") };
}

async function publish(js, count, subject = "s.a") {
  await Promise.all(Array.from({ length: count }, (_, n) => js.publish(subject, `${n + 1}`)));
}

/** Reads on until there are this many, or the messages end. */
async function take(messages, count = Infinity, each = (m) => m.ack()) {
  const taken = [];
  for await (const m of messages) {
    taken.push(m);
    each(m);
    if (taken.length === count) break;
  }
  return taken;
}

/** Collects what the client is told beside messages. */
function notices(messages) {
  const told = [];
  (async () => {
    for await (const notice of messages.status()) told.push(notice);
  })();
  return told;
}

const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => first + n);
const sequences = (taken) => taken.map((m) => m.seq);

await run({
  async fetch_by_count_and_by_time(nc) {
    const { d } = await consumer(nc, 12);
    assert.deepEqual(sequences(await take(await d.fetch({ max_messages: 10, expires: 5000 }))), numbers(1, 10));
    const begun = Date.now();
    assert.deepEqual(sequences(await take(await d.fetch({ max_messages: 10, expires: 1000 }))), [11, 12]);
    assert.ok(Date.now() - begun >= 900);
    assert.equal(await d.next({ expires: 1000 }), null);
    const info = await d.info();
    assert.deepEqual([info.ack_floor.stream_seq, info.num_ack_pending, info.num_pending], [12, 0, 0]);
    assert.equal(info.num_waiting, 0);
  },

  async fetch_by_bytes(nc) {
    const { d } = await consumer(nc, 100);
    const taken = [];
    const end = await take(await d.fetch({ max_bytes: 1000, expires: 1000 }), Infinity, (m) => taken.push(m)).catch((e) => e);
    assert.deepEqual([end.code, end.message], [409, "message size exceeds maxbytes"]);
    // Subject, reply and body: 3 bytes, 40 and some, and one or two.
    assert.ok(taken.length > 15 && taken.length < 25, `${taken.length}`);
    assert.deepEqual(sequences(taken), numbers(1, taken.length));
  },

  async next_waits_for_a_message(nc) {
    const { d, js } = await consumer(nc, 0);
    const coming = d.next({ expires: 10_000 });
    await eventually("the request", async () => (await d.info()).num_waiting === 1);
    await publish(js, 1);
    assert.ok(await (await coming).ackAck({ timeout: 20_000 }));
    assert.equal((await d.info()).ack_floor.stream_seq, 1);
  },

  async consume_by_messages(nc) {
    const { d, js } = await consumer(nc, 500);
    const messages = await d.consume({ max_messages: 10, threshold_messages: 3, expires: 2000 });
    const told = notices(messages);
    const reading = take(messages, 1000);
    await publish(js, 500);
    assert.deepEqual(sequences(await reading), numbers(1, 1000));
    assert.ok(told.some((n) => n.type === "next" && n.options.batch === 7), "asked again at the threshold");
  },

  async consume_by_bytes(nc) {
    const { d, js } = await consumer(nc, 500);
    const messages = await d.consume({ max_bytes: 2000, expires: 2000 });
    assert.deepEqual(sequences(await take(messages, 500)), numbers(1, 500));
    await messages.close();
    await publish(js, 500);
    const low = await d.consume({ max_bytes: 2000, threshold_bytes: 500, expires: 2000 });
    const told = notices(low);
    assert.deepEqual(sequences(await take(low, 500)), numbers(501, 1000));
    assert.ok(told.some((n) => n.type === "next" && n.options.max_bytes >= 1500), "asked again at the threshold");
  },

  async consume_with_a_callback_hears_heartbeats(nc) {
    const { d, js } = await consumer(nc, 0);
    const seen = [];
    const callback = (m) => {
      seen.push(m.seq);
      m.ack();
    };
    const messages = await d.consume({ max_messages: 5, expires: 5000, idle_heartbeat: 500, callback });
    const told = notices(messages);
    await eventually("two heartbeats", () => told.filter((n) => n.type === "heartbeat").length >= 2);
    await publish(js, 20);
    await eventually("20 messages", () => seen.length === 20);
    assert.ok(!told.some((n) => n.type === "heartbeats_missed"));
    await messages.close();
  },

  async consume_goes_on_after_a_restart(nc, server) {
    const { d, js } = await consumer(nc, 5);
    const messages = await d.consume({ max_messages: 5, expires: 2000 });
    const reading = take(messages, 10);
    await eventually("five acknowledged", async () => (await d.info()).ack_floor.stream_seq === 5);
    const { port } = new URL(server.url.replace("nats:", "http:"));
    await server.kill();
    await server.start(port);
    await eventually("the connection", () => nc.flush().then(() => true, () => false));
    await publish(js, 5);
    assert.deepEqual([...new Set(sequences(await reading))].sort((a, b) => a - b), numbers(1, 10));
  },

  async consume_hears_that_the_consumer_is_gone(nc) {
    const { d, jsm } = await consumer(nc, 0);
    const messages = await d.consume({ max_messages: 5, expires: 5000, abort_on_missing_resource: true });
    const told = notices(messages);
    take(messages).catch((e) => e);
    await eventually("the request", async () => (await d.info()).num_waiting === 1);
    await jsm.consumers.delete("S", "d");
    await eventually("the notice", () => told.some((n) => n.type === "consumer_deleted"));
    const { code, description } = told.find((n) => n.type === "consumer_deleted");
    assert.deepEqual([code, description], [409, "consumer deleted"]);
  },

  async limits_of_requests_are_told(nc) {
    const { d } = await consumer(nc, 5, { max_batch: 2, max_expires: nanos(1500), max_bytes: 4096 });
    for (const [options, text] of [
      [{ max_messages: 3, expires: 1000 }, "exceeded maxrequestbatch of 2"],
      [{ max_messages: 2, expires: 3000 }, "exceeded maxrequestexpires of 1.5s"],
    ]) {
      const failed = await d.fetch(options).then((f) => take(f)).catch((e) => e);
      assert.match(`${failed}`.toLowerCase(), new RegExp(text));
    }
    assert.equal((await take(await d.fetch({ max_messages: 2, expires: 1000 }))).length, 2);
  },

  async every_kind_of_acknowledgement(nc) {
    const { d } = await consumer(nc, 4, { ack_wait: nanos(1500), max_deliver: 3 });
    const [one, two, three, four] = await take(await d.fetch({ max_messages: 4, expires: 2000 }), 4, () => {});
    assert.ok(await one.ackAck({ timeout: 20_000 }));
    two.nak();
    three.term("cannot be read");
    four.nak(300);
    const again = await take(await d.fetch({ max_messages: 2, expires: 5000 }), 2);
    assert.deepEqual(again.map((m) => [m.seq, m.info.deliveryCount, m.redelivered]), [[2, 2, true], [4, 2, true]]);
    await eventually("all settled", async () => (await d.info()).ack_floor.stream_seq === 4);
  },

  async working_puts_off_redelivery(nc) {
    const { d } = await consumer(nc, 1, { ack_wait: nanos(1000) });
    const first = await d.next({ expires: 2000 });
    const begun = Date.now();
    await eventually("half of the wait", () => Date.now() - begun > 600);
    first.working();
    const again = await d.next({ expires: 5000 });
    assert.equal(again.info.deliveryCount, 2);
    assert.ok(Date.now() - begun > 1500);
    again.ack();
  },

  async ordered_by_pull(nc) {
    const { js } = await consumer(nc, 300);
    await publish(js, 10, "s.b");
    const ordered = await js.consumers.get("S", { filter_subjects: ["s.b"] });
    assert.deepEqual(sequences(await take(await ordered.fetch({ max_messages: 10, expires: 2000 }))), numbers(301, 310));
    const from = await js.consumers.get("S", { deliver_policy: "by_start_sequence", opt_start_seq: 250 });
    const messages = await from.consume({ max_messages: 20 });
    assert.deepEqual(sequences(await take(messages, 61)), numbers(250, 310));
    const last = await js.consumers.get("S", { deliver_policy: "last_per_subject", headers_only: true });
    const heads = await take(await last.fetch({ max_messages: 2, expires: 2000 }));
    assert.deepEqual(heads.map((m) => [m.seq, m.data.length, m.headers.get("Nats-Msg-Size")]), [[300, 0, "3"], [310, 0, "2"]]);
  },

  async ordered_consumer_is_made_again(nc) {
    const { js, jsm } = await consumer(nc, 10);
    const ordered = await js.consumers.get("S", {});
    const messages = await ordered.consume({ max_messages: 5, expires: 2000, idle_heartbeat: 500 });
    const told = notices(messages);
    const reading = take(messages, 20);
    await eventually("five read", () => messages.getProcessed() >= 5);
    const name = (await ordered.info()).name;
    await jsm.consumers.delete("S", name);
    await publish(js, 10);
    assert.deepEqual(sequences(await reading), numbers(1, 20));
    assert.ok(told.some((n) => n.type === "ordered_consumer_recreated"));
  },

  async push_with_flow_control(nc) {
    const config = { deliver_subject: "to.me", flow_control: true, idle_heartbeat: nanos(1000) };
    const { js } = await consumer(nc, 2000, config, "memory");
    const pushed = await js.consumers.getPushConsumer("S", "d");
    const messages = await pushed.consume();
    assert.deepEqual(sequences(await take(messages, 2000)), numbers(1, 2000));
    await eventually("all acknowledged", async () => (await pushed.info()).ack_floor.stream_seq === 2000);
  },

  async push_ordered(nc) {
    const { js } = await consumer(nc, 500);
    const pushed = await js.consumers.getPushConsumer("S");
    assert.deepEqual(sequences(await take(await pushed.consume(), 500)), numbers(1, 500));
  },

  async overflow_groups(nc) {
    const { d } = await consumer(nc, 20, { priority_groups: ["g"], priority_policy: "overflow" });
    const held = await take(await d.fetch({ group: "g", max_messages: 5, expires: 1000, min_pending: 100 }));
    assert.equal(held.length, 0);
    const given = await take(await d.fetch({ group: "g", max_messages: 5, expires: 2000, min_pending: 10 }));
    assert.deepEqual(sequences(given), numbers(1, 5));
  },

  async pinned_clients(nc) {
    const config = { priority_groups: ["g"], priority_policy: "pinned_client", priority_timeout: nanos(60_000) };
    const { d, js, jsm } = await consumer(nc, 5, config);
    const first = await d.consume({ group: "g", max_messages: 10, expires: 2000 });
    const told = notices(first);
    assert.deepEqual(sequences(await take(await eventually("pinned", () => first), 5)), numbers(1, 5));
    assert.ok(told.some((n) => n.type === "consumer_pinned"));
    const second = await (await js.consumers.get("S", "d")).consume({ group: "g", max_messages: 10, expires: 2000 });
    const reading = take(second, 3);
    await first.close();
    await jsm.consumers.unpin("S", "d", "g");
    await publish(js, 3);
    assert.equal((await reading).length, 3);
  },

  async pause_holds_messages_back(nc) {
    const { d, jsm } = await consumer(nc, 3);
    await jsm.consumers.pause("S", "d", new Date(Date.now() + 60_000));
    assert.equal(await d.next({ expires: 1000 }), null);
    await jsm.consumers.resume("S", "d");
    assert.equal((await d.next({ expires: 2000 })).seq, 1);
  },

  async reset_begins_again(nc) {
    const { d, jsm } = await consumer(nc, 5);
    await take(await d.fetch({ max_messages: 5, expires: 2000 }));
    assert.equal((await jsm.consumers.reset("S", "d", 3)).reset_seq, 3);
    assert.deepEqual(sequences(await take(await d.fetch({ max_messages: 3, expires: 2000 }))), [3, 4, 5]);
  },

  async work_queue_is_used_up(nc) {
    const { d, jsm } = await consumer(nc, 0, {}, "memory");
    await jsm.streams.add({ name: "W", subjects: ["w"], retention: "workqueue" });
    await jsm.consumers.add("W", { durable_name: "w", ack_policy: "explicit" });
    const js = jsm.jetstream();
    await publish(js, 10, "w");
    const worker = await js.consumers.get("W", "w");
    await take(await worker.fetch({ max_messages: 10, expires: 2000 }));
    await eventually("an empty queue", async () => (await jsm.streams.info("W")).state.messages === 0);
    assert.equal((await d.info()).num_pending, 0);
  },
});
