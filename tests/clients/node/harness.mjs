// Starts the server under test and counts the cases of one program.
//
// Never speaks the protocol itself: that is the business of the @nats-io packages, the client these programs are
// about. The binary is the one NATTERJACK_SERVER names.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";

const CASE_MS = 240_000;
const START_MS = 60_000;
const PROBE_MS = 10;

/** The server under test. */
function binary() {
  const named = process.env.NATTERJACK_SERVER;
  if (!named) throw new Error("set NATTERJACK_SERVER to the server under test");
  return named;
}

/** Waits until the condition answers with something, or fails at the deadline. */
export async function eventually(what, condition, limit = 10_000) {
  const deadline = Date.now() + limit;
  while (Date.now() < deadline) {
    const answer = await condition();
    if (answer) return answer;
    await new Promise((probe) => setTimeout(probe, PROBE_MS));
  }
  throw new Error(`${what}: not so after ${limit} ms`);
}

/** A server process with its own store folder. */
export class Server {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "natterjack-node-"));
    this.url = null;
  }

  /** Starts, or starts again on the same store; the port is a free one unless it is named. */
  async start(port = "-1") {
    const flags = ["-a", "127.0.0.1", "-p", port, "-js", "-sd", join(this.folder, "store")];
    flags.push("--ports_file_dir", this.folder, "-l", join(this.folder, "server.log"));
    const child = spawn(binary(), flags, { stdio: "ignore" });
    this.child = child;
    this.ended = new Promise((ended) => child.once("exit", ended));
    this.url = await eventually("the ports file", () => this.#ports(child), START_MS);
    return this;
  }

  #ports(child) {
    if (child.exitCode !== null) throw new Error(readFileSync(join(this.folder, "server.log"), "utf8"));
    const name = readdirSync(this.folder).find((file) => file.endsWith(`_${child.pid}.ports`));
    try {
      return name && JSON.parse(readFileSync(join(this.folder, name), "utf8")).nats[0];
    } catch {
      // Only half written so far.
      return null;
    }
  }

  /** As kill -9 does. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Ends the process and removes the folder. */
  async remove() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs every case on its own server with its own connection, and ends the program. */
export async function run(cases) {
  let passed = 0;
  let failed = 0;
  for (const [name, body] of Object.entries(cases)) {
    try {
      await within(name, onServer(body));
      passed += 1;
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(error);
      console.log(`FAILED ${name}`);
    }
  }
  console.log(`clients: ${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}

async function onServer(body) {
  const server = new Server();
  try {
    await server.start();
    const nc = await connect({ servers: server.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
    try {
      await body(nc, server);
    } finally {
      await nc.close();
    }
  } finally {
    await server.remove();
  }
}

function within(name, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: longer than ${CASE_MS} ms`)), CASE_MS);
  });
  return Promise.race([body, late]).finally(() => clearTimeout(timer));
}
