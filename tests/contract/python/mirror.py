"""The mirror of the contract in Python: tells every field it was given, and gives every case there is."""

from typing import Iterable, Optional, Union

from tidegate import (
    Arrival, Asset, Decision, Emit, Event, NameValue, Note, Other, OtherRefusal, Park, Reference, Remember, Retry, Skip,
    Wake, put,
)


def handle(event: Event) -> list[Decision]:
    match event.kind:
        case "refuse.skip":
            raise Skip
        case "refuse.retry":
            raise Retry(event.received_at_ms)
        case "refuse.park":
            raise Park(event.subject)
        case "refuse.other":
            raise OtherRefusal(event.subject)
    return [
        Other("mirror", "".join(dump(event))),
        put(
            f"https://a.example/{event.subject}",
            event.body or None,
            headers=event.settings,
            timeout_ms=None if event.attempt == 1 else event.attempt,
            reply_tag=event.content_type,
        ),
        Emit("mirror.emitted", event.body, event.subject, event.content_type),
        Wake(event.occurred_at_ms or 0, event.receipt, event.memory or b""),
        Remember(event.memory),
        Note(event.kind),
    ]


def dump(event: Event) -> Iterable[str]:
    yield line("receipt", event.receipt)
    yield line("source", event.source)
    yield line("kind", event.kind)
    yield line("subject", event.subject)
    yield line("received-at-ms", event.received_at_ms)
    yield optional("occurred-at-ms", event.occurred_at_ms)
    yield line("arrival", arrival(event.arrival))
    yield line("attempt", event.attempt)
    yield optional("content-type", event.content_type)
    yield line("body", event.body.hex())
    yield from dump_asset(event.asset) if event.asset else [line("asset", "-")]
    yield optional("previous", event.previous)
    yield from (line("changed", pointer) for pointer in event.changed)
    yield optional("memory", None if event.memory is None else event.memory.hex())
    yield from pairs("setting", event.settings)
    yield from pairs("attribute", event.attributes)


def arrival(arrival: Arrival) -> str:
    return arrival.case if arrival.other is None else f"{arrival.case}:{arrival.other}"


def dump_asset(asset: Asset) -> Iterable[str]:
    yield optional("asset.id", asset.id)
    yield optional("asset.name", asset.name)
    yield from reference("asset.asset-type", asset.asset_type)
    yield from reference("asset.location", asset.location)
    yield from reference("asset.loanee", asset.loanee)
    yield optional("asset.created-at", asset.created_at)
    yield optional("asset.updated-at", asset.updated_at)
    yield optional("asset.field-values", asset.field_values)


def reference(name: str, reference: Optional[Reference]) -> list[str]:
    if reference is None:
        return [line(name, "-")]
    return [optional(f"{name}.id", reference.id), optional(f"{name}.name", reference.name)]


def pairs(name: str, pairs: list[NameValue]) -> list[str]:
    return [line(name, f"{pair.name}={pair.value}") for pair in pairs]


def line(name: str, value: Union[str, int]) -> str:
    return f"{name}={value}\n"


def optional(name: str, value: Union[str, int, None]) -> str:
    return line(name, "-" if value is None else f"+{value}")
