"""A plugin that looks around with all that Python's standard library has, and says what it saw: the event's kind says
where it looks. It is built with WASI, so that the library asks it."""

import os
import random
import socket
import sys
import time
import traceback
import uuid
from datetime import datetime, timezone

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Decision, Decision_Note, Event, Refusal_Other

# What an earlier call left here would be found by a later one.
seen = []


class Handler(exports.Handler):
    def handle(self, event: Event) -> list[Decision]:
        if seen:
            raise Err(Refusal_Other(f"found {seen}"))
        seen.append(event.kind)
        return [Decision_Note(note) for note in LOOKS.get(event.kind, lambda: [])()]


def outcome(what: str, attempt) -> str:
    """What an attempt ended in: a kind of error, or what was got."""
    try:
        return f"{what}: {attempt()!r}"
    except Exception as error:
        return f"{what}: no ({type(error).__name__})"


def environment() -> list[str]:
    return [
        f"variables {dict(os.environ)}",
        outcome("HOME", lambda: os.environ["HOME"]),
        f"arguments {sys.argv}",
    ]


def files() -> list[str]:
    return [
        outcome("read", lambda: open("/etc/passwd").read()),
        outcome("write", lambda: open("/tmp/nosy", "w").write("was here")),
        outcome("list", lambda: os.listdir("/")),
        outcome("list here", lambda: os.listdir(".")),
        outcome("make", lambda: os.mkdir("nosy")),
        outcome("standard input", lambda: sys.stdin.read()),
    ]


def network() -> list[str]:
    def connect():
        with socket.socket() as stream:
            stream.connect(("127.0.0.1", 80))

    return [
        outcome("connect", connect),
        outcome("datagrams", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("0.0.0.0", 0))),
        outcome("look up", lambda: socket.getaddrinfo("localhost", 80)),
    ]


def clocks() -> list[str]:
    began = time.monotonic()
    notes = [f"{time.time_ns() // 1_000_000} {datetime.now(timezone.utc).isoformat()}"]
    time.sleep(1.5)
    notes.append(f"{time.time_ns() // 1_000_000} {round((time.monotonic() - began) * 1e3)} ms later")
    return notes


def chance() -> list[str]:
    return [os.urandom(8).hex(), str(random.SystemRandom().random()), str(uuid.uuid4()), os.urandom(100_000)[-4:].hex()]


def output() -> list[str]:
    print("a line")
    print("an error", file=sys.stderr)
    try:
        raise ValueError("handled")
    except ValueError:
        traceback.print_exc()
    sys.stdout.write("without an end")
    return []


def fail() -> list[str]:
    raise ValueError("nobody handles this")


def flood() -> list[str]:
    for count in range(20_000):
        print(f"line {count}")
    return ["all was taken"]


def sleep_for_ever() -> list[str]:
    while True:
        time.sleep(6)


LOOKS = {
    "environment": environment,
    "files": files,
    "network": network,
    "clocks": clocks,
    "chance": chance,
    "output": output,
    "raise": fail,
    "exit": lambda: sys.exit(3),
    "flood-log": flood,
    "sleep-for-ever": sleep_for_ever,
}
