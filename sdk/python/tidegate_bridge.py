"""Between the bindings, which the build makes of the contract, and `tidegate`. An author does not see it."""

from types import ModuleType
from typing import Any, Optional

import tidegate as sdk
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import handler as wit

ARRIVALS = {
    wit.Arrival_First: "first",
    wit.Arrival_Duplicate: "duplicate",
    wit.Arrival_Stale: "stale",
    wit.Arrival_Conflict: "conflict",
    wit.Arrival_AfterDelete: "after-delete",
}


def handler(plugin: ModuleType) -> type:
    """The class that the bindings look for, of a module that has `handle`."""
    # The bindings may be used without the SDK, too.
    if not hasattr(plugin, "handle") and hasattr(plugin, "Handler"):
        return plugin.Handler
    handle = plugin.handle

    class Handler(exports.Handler):
        def handle(self, event: wit.Event) -> list[Any]:
            # Any other exception is a fault, and its traceback is printed by the runtime.
            try:
                decisions = handle(told(event))
            except sdk.Refusal as refused:
                raise Err(refusal(refused)) from None
            if decisions is None:
                raise TypeError("handle returned None, which is no list of decisions")
            return [decision(each) for each in decisions]

    return Handler


def told(event: wit.Event) -> sdk.Event:
    # The fields have the same names and the same order; a list of names and values is the same to look at.
    fields = dict(vars(event))
    fields["arrival"] = arrival(event.arrival)
    fields["asset"] = asset(event.asset)
    return sdk.Event(**fields)


def arrival(arrival: Any) -> sdk.Arrival:
    case = ARRIVALS.get(type(arrival))
    return sdk.Arrival("other", arrival.value) if case is None else sdk.Arrival(case)


def asset(asset: Optional[wit.Asset]) -> Optional[sdk.Asset]:
    return None if asset is None else sdk.Asset(**vars(asset))


def decision(decision: sdk.Decision) -> Any:
    match decision:
        case sdk.Http(method, url, headers, body, timeout_ms, reply_tag):
            named = [wit.NameValue(each.name, each.value) for each in headers]
            return wit.Decision_Http(wit.Http(method, url, named, body, timeout_ms, reply_tag))
        case sdk.Emit(kind, body, subject, content_type):
            return wit.Decision_Emit(wit.Emit(kind, subject, content_type, sdk.to_bytes(body)))
        case sdk.Wake(after_ms, tag, body):
            return wit.Decision_Wake(wit.Wake(after_ms, tag, sdk.to_bytes(body)))
        case sdk.Remember(memory):
            return wit.Decision_Remember(None if memory is None else sdk.to_bytes(memory))
        case sdk.Note(text):
            return wit.Decision_Note(text)
        case sdk.Other(kind, body):
            return wit.Decision_Other(wit.OtherDecision(kind, sdk.to_bytes(body)))
    raise TypeError(f"{decision!r} is no decision")


def refusal(refusal: sdk.Refusal) -> Any:
    match refusal:
        case sdk.Skip():
            return wit.Refusal_Skip()
        case sdk.Retry():
            return wit.Refusal_RetryAfterMs(refusal.after_ms)
        case sdk.Park():
            return wit.Refusal_Park(refusal.reason)
        case sdk.OtherRefusal():
            return wit.Refusal_Other(refusal.reason)
    raise TypeError(f"{refusal!r} is no refusal of this contract")
