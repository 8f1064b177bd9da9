"""A plugin that does what it should not, as an ordinary Python program would do it: the event's kind says what."""

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
        match event.kind:
            case "spin":
                while True:
                    pass
            case "allocate":
                return [Decision_Note(str(len([bytearray(1 << 20) for _ in range(4096)])))]
            case "recurse":
                return [Decision_Note(str(recurse(0)))]
            case "recurse-and-get-on":
                try:
                    recurse(0)
                except RecursionError:
                    raise Err(Refusal_Other("too deep"))
            case "raise":
                raise ValueError("nobody handles this")
            case "print":
                print("nobody reads this")
            case "flood-result":
                return [Decision_Note("x" * (8 << 20))]
            case "answer-nonsense":
                return "not a list of decisions"
        return []


def recurse(depth: int) -> int:
    return recurse(depth + 1) + 1
