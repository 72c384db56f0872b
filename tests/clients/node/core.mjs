// Core NATS and the service API with @nats-io/transport-node. Never touches JetStream.

import assert from "node:assert/strict";
import { Svcm } from "@nats-io/services";
import { connect, headers, nanos, RequestError } from "@nats-io/transport-node";
import { eventually, run } from "./harness.mjs";

async function take(sub, count) {
  const taken = [];
  for await (const message of sub) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}

await run({
  async publish_and_wildcards(nc) {
    const every = nc.subscribe("a.>", { max: 3 });
    const one = nc.subscribe("a.*", { max: 2 });
    for (const subject of ["a.b", "a.b.c", "b.a", "a.c"]) nc.publish(subject, subject);
    assert.deepEqual((await take(every, 3)).map((m) => m.string()), ["a.b", "a.b.c", "a.c"]);
    assert.deepEqual((await take(one, 2)).map((m) => m.subject), ["a.b", "a.c"]);
  },

  async queue_group_shares(nc) {
    const seen = [0, 0, 0];
    for (const n of seen.keys()) nc.subscribe("q", { queue: "workers", callback: () => (seen[n] += 1) });
    for (let n = 0; n < 300; n += 1) nc.publish("q");
    await eventually("300 messages", () => seen.reduce((a, b) => a + b) === 300);
    assert.ok(seen.every((count) => count > 30), `${seen}`);
  },

  async request_with_headers(nc) {
    nc.subscribe("double", {
      callback: (_, m) => m.respond(m.string() + m.string(), { headers: m.headers }),
    });
    const h = headers();
    h.append("N", "1");
    h.append("N", "2");
    const answer = await nc.request("double", "ab", { timeout: 20_000, headers: h });
    assert.equal(answer.string(), "abab");
    assert.deepEqual(answer.headers.values("N"), ["1", "2"]);
    const many = [];
    nc.subscribe("many", { callback: (_, m) => [1, 2, 3].forEach((n) => m.respond(`${n}`)) });
    for await (const m of await nc.requestMany("many", "", { strategy: "count", maxMessages: 3, maxWait: 5000 })) {
      many.push(m.string());
    }
    assert.deepEqual(many, ["1", "2", "3"]);
  },

  async no_responders(nc) {
    const error = await nc.request("nobody", "", { timeout: 20_000 }).catch((e) => e);
    assert.ok(error instanceof RequestError && error.isNoResponders(), `${error}`);
  },

  async drain_delivers_what_came(nc, server) {
    const other = await connect({ servers: server.url });
    let count = 0;
    other.subscribe("d", { callback: () => (count += 1) });
    await other.flush();
    for (let n = 0; n < 1000; n += 1) nc.publish("d");
    await nc.flush();
    await other.drain();
    assert.equal(count, 1000);
    assert.ok(other.isClosed());
  },

  async round_trip_and_limits(nc) {
    assert.ok((await nc.rtt()) >= 0);
    assert.equal(nc.info.max_payload, 1 << 20);
    assert.ok(nc.info.headers && nc.info.jetstream);
    const big = new Uint8Array(nc.info.max_payload).fill(7);
    const sub = nc.subscribe("big", { max: 1 });
    nc.publish("big", big);
    assert.deepEqual((await take(sub, 1))[0].data.length, big.length);
  },

  async reconnects_after_a_restart(nc, server) {
    const seen = [];
    nc.subscribe("r", { callback: (_, m) => seen.push(m.string()) });
    await nc.flush();
    const port = new URL(`nats://${server.url.replace(/^nats:\/\//, "")}`).port;
    const back = (async () => {
      for await (const status of nc.status()) if (status.type === "reconnect") return;
    })();
    await server.kill();
    await server.start(port);
    await back;
    nc.publish("r", "again");
    await eventually("the message after the restart", () => seen.includes("again"));
  },

  async service_answers_and_is_found(nc) {
    const services = new Svcm(nc);
    const service = await services.add({ name: "echo", version: "1.0.0", description: "says it again" });
    service.addGroup("v1").addEndpoint("say", { handler: (_, m) => m.respond(m.data) });
    service.addEndpoint("fail", { handler: (_, m) => m.respondError(409, "not now") });
    assert.equal((await nc.request("v1.say", "x", { timeout: 20_000 })).string(), "x");
    const refused = await nc.request("fail", "", { timeout: 20_000 });
    assert.equal(refused.headers.get("Nats-Service-Error-Code"), "409");
    const client = services.client({ strategy: "count", maxMessages: 1, maxWait: 5000 });
    const found = async (what) => {
      for await (const answer of await what) return answer;
      return null;
    };
    assert.equal((await found(client.ping("echo"))).id, service.info().id);
    assert.equal((await found(client.info("echo"))).endpoints.length, 2);
    const stats = await found(client.stats("echo"));
    assert.deepEqual(stats.endpoints.map((e) => [e.name, e.num_requests]), [["say", 1], ["fail", 1]]);
    assert.ok(stats.endpoints.every((e) => e.processing_time < nanos(5000)));
    await service.stop();
  },
});
