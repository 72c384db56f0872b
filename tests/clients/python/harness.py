"""Starts the server under test and counts the cases of one client script.

Never speaks the protocol itself: that is the business of nats-py, the client these scripts are about.
The binary is the one NATTERJACK_SERVER names, else the debug build of this workspace.
"""

import asyncio
import inspect
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import traceback

CASE_SECONDS = 240
START_SECONDS = 60
END_SECONDS = 60
PROBE_SECONDS = 0.01


def binary():
    """The server under test."""
    named = os.environ.get("NATTERJACK_SERVER")
    if named:
        return named
    workspace = pathlib.Path(__file__).resolve().parents[3]
    target = workspace / os.environ.get("CARGO_TARGET_DIR", "target")
    built = target / "debug" / "natterjack-server"
    if not built.is_file():
        sys.exit(f"no server at {built}: run `cargo build --bin natterjack-server` or set NATTERJACK_SERVER")
    return str(built)


def is_original():
    """Whether this is the original server: its usage does not name ours."""
    done = subprocess.run([binary(), "-h"], capture_output=True, text=True, timeout=END_SECONDS, check=True)
    return "natterjack" not in done.stdout


async def eventually(what, condition, seconds=10):
    """Waits until the condition answers with something, or fails at the deadline."""
    never = asyncio.Event()
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        try:
            await asyncio.wait_for(never.wait(), PROBE_SECONDS)
        except asyncio.TimeoutError:
            pass
    raise AssertionError(f"{what}: not so after {seconds} s")


async def fails(kind, action):
    """Awaits the action and returns its error, which has to be of this kind."""
    try:
        await action
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, nothing was raised")


def noise(seed, size):
    """The same bytes for the same seed on every machine."""
    return random.Random(seed).randbytes(size)


class Server:
    """A server process with its own store folder; leaving the block ends it."""

    def __init__(self, config=None):
        self.folder = tempfile.TemporaryDirectory(prefix="natterjack-clients-")
        self.dir = pathlib.Path(self.folder.name)
        self.config = config
        self.process = None
        self.url = None

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.folder.cleanup()

    async def start(self, port="-1"):
        """Starts, or starts again on the same store; the port is a free one unless it is named."""
        args = [binary(), "-a", "127.0.0.1", "-p", port, "-js", "-sd", str(self.dir / "store")]
        args += ["--ports_file_dir", str(self.dir), "-l", str(self.dir / "server.log")]
        if self.config:
            (self.dir / "server.conf").write_text(self.config)
            args += ["-c", str(self.dir / "server.conf")]
        with open(self.dir / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        self.url = await eventually("the ports file", self._read_url, START_SECONDS)

    def _read_url(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {(self.dir / 'stderr').read_text()}")
        for path in self.dir.glob(f"*_{self.process.pid}.ports"):
            try:
                return json.loads(path.read_text())["nats"][0]
            except ValueError:
                # Only half written so far.
                return None
        return None

    def kill(self):
        """As kill -9 does."""
        self.process.kill()
        self.process.wait(END_SECONDS)

    def terminate(self):
        """An ordered end, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)


def run(module):
    """Runs every case_* of the module in the order of the file, and exits with 1 if one failed."""
    cases = [(name[5:], case) for name, case in vars(module).items() if name.startswith("case_")]
    passed = failed = 0
    for name, case in cases:
        try:
            asyncio.run(asyncio.wait_for(case(), CASE_SECONDS))
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
        else:
            passed += 1
            print(f"ok {name}", flush=True)
    print(f"clients: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)
