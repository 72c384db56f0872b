"""Writes what nats-server says of configurations into check.txt: python3 record.py SERVER < cases > check.txt

A case is a configuration on one line, `\n` for line ends; lines that have ` => ` already are asked again, and lines that
begin with `~`, which differ on purpose, stay as they are.
"""

import re
import subprocess
import sys
import tempfile


def ask(server, text):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/m.conf", "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([server, "-t", "-c", "m.conf"], cwd=folder, capture_output=True, text=True, timeout=60)
    said = done.stderr.removeprefix("nats-server: ")
    if "is valid (sha256" in said:
        return "ok"
    return " | ".join(line.strip() for line in said.splitlines() if line.strip())


seen = set()
for line in sys.stdin:
    line = line.rstrip("\n")
    case = line.split(" => ")[0]
    if not case or case in seen:
        continue
    seen.add(case)
    if case.startswith("~"):
        print(line)
        continue
    verdict = ask(sys.argv[1], case.replace("\\n", "\n"))
    # What the peer says of a failure of its own, or by address, is nothing to hold anybody to.
    if not re.search(r"runtime error|0x[0-9a-f]{6}|conf\.token=|\0", verdict):
        print(f"{case} => {verdict}")
