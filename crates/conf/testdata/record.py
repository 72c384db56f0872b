#!/usr/bin/env python3
"""Asks a nats-server what it says of each configuration, and rewrites the last field of every line.

Usage: NATS_SERVER=/path/to/nats-server record.py verdicts.txt

A line holds fields separated by tabs: the configuration, any number of `$NAME=value` (environment) and `@path=text`
(further files), and the answer: `ok <digest>`, or the lines on standard error without the program's name, sorted and
joined by ` | `. In every field `\\n`, `\\r`, `\\t`, `\\0` and `\\\\` stand for what they usually do. The configuration is
named m.conf.
"""
import os
import subprocess
import sys
import tempfile

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}


def unescape(field):
    out, rest = [], iter(field)
    for c in rest:
        out.append(ESCAPES[next(rest)] if c == "\\" else c)
    return "".join(out)


def escape(text):
    for char, letter in (("\\", "\\"), ("\n", "n"), ("\r", "r"), ("\t", "t"), ("\0", "0")):
        text = text.replace(char, "\\" + letter)
    return text


def ask(config, extras):
    with tempfile.TemporaryDirectory() as folder:
        env = {}
        files = {"m.conf": config}
        for extra in extras:
            name, _, value = extra[1:].partition("=")
            (env if extra[0] == "$" else files)[name] = value
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as file:
                file.write(text)
        command = [os.environ["NATS_SERVER"], "-t", "-c", "m.conf"]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=30)
    lines = [l.removeprefix("nats-server: ") for l in done.stderr.decode(errors="replace").split("\n") if l]
    if done.returncode == 0 and len(lines) == 1 and " is valid (" in lines[0]:
        return "ok " + lines[0].split("(")[-1].rstrip(")")
    return " | ".join(sorted(lines))


def main():
    path = sys.argv[1]
    with open(path, newline="\n") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines):
        if line and not line.startswith("#"):
            fields = line.split("\t")[:-1]
            answer = ask(unescape(fields[0]), [unescape(f) for f in fields[1:]])
            lines[number] = "\t".join([*fields, escape(answer)])
    with open(path, "w", newline="\n") as file:
        file.write("\n".join(lines))


main()
