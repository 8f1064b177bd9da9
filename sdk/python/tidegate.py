"""Write a Tidegate plugin in Python: one function, an event in, decisions out.

    from tidegate import Decision, Event, Park, post

    def handle(event: Event) -> list[Decision]:
        if event.kind != "door.opened":
            return []
        return [post("https://example.com/door", json={"door": event.subject})]

Decisions are wishes: the host checks them against what the operator granted. A refusal is raised. Any other exception
is a fault: nothing is done, and its traceback is in the plugin's log, as is whatever is printed.
"""

import json as _json
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Optional, Union

Body = Union[str, bytes]
"""Text is sent as UTF-8."""


@dataclass
class NameValue:
    name: str
    value: str


Headers = Union[Mapping[str, str], Iterable[NameValue]]
"""By name, or as a list where a name repeats."""


# What a plugin is told.


@dataclass
class Reference:
    """A thing the asset points at: its type, its location, its loanee."""

    id: Optional[str]
    name: Optional[str]


@dataclass
class Asset:
    """A typed view of the body of an asset event. Every field may be absent: the sender promises none."""

    id: Optional[str]
    name: Optional[str]
    asset_type: Optional[Reference]
    location: Optional[Reference]
    loanee: Optional[Reference]
    created_at: Optional[str]
    updated_at: Optional[str]
    field_values: Optional[str]

    @property
    def title(self) -> str:
        """`Spare-02 (2 in 3 Laptop)`, as far as the sender said; `An asset` when it did not."""
        name = self.name or "An asset"
        kind = self.asset_type and self.asset_type.name
        return f"{name} ({kind})" if kind else name

    @property
    def loanee_name(self) -> Optional[str]:
        """Who has it on loan: their name, or `person 142` when there is an id alone; None when nobody has."""
        if not self.loanee:
            return None
        return self.loanee.name or (f"person {self.loanee.id}" if self.loanee.id else None)

    def field(self, name: str) -> Any:
        """The value of the custom field of this name; None when there is none."""
        fields = _json.loads(self.field_values or "[]")
        named = (each for each in fields if isinstance(each, dict) and each.get("name") == name)
        return next(named, {}).get("value")


@dataclass
class Arrival:
    """How this delivery stands to those before it, from the same source."""

    case: str
    """`first`, `duplicate`, `stale`, `conflict`, `after-delete`, or `other` for a class of a later contract."""
    other: Optional[str] = None
    """What `other` is called."""


@dataclass
class Event:
    """What a plugin is told. The same event gives the same bytes, whenever and wherever it is asked about."""

    receipt: str
    source: str
    kind: str
    subject: str
    received_at_ms: int
    occurred_at_ms: Optional[int]
    arrival: Arrival
    attempt: int
    content_type: Optional[str]
    body: bytes
    asset: Optional[Asset]
    previous: Optional[str]
    changed: list[str]
    memory: Optional[bytes]
    settings: list[NameValue]
    attributes: list[NameValue]

    def setting(self, name: str) -> Optional[str]:
        """A setting of this plugin's deployment; None when it is not there or empty."""
        return next((setting.value for setting in self.settings if setting.name == name), None) or None

    def json(self) -> Any:
        """The body, parsed. Raises ValueError when it is no JSON."""
        return _json.loads(self.body)


# What a plugin wants done.


@dataclass
class Http:
    """Ask the host to make an HTTP request; `get`, `post`, `put`, `patch` and `delete` are shorter."""

    method: str
    url: str
    headers: list[NameValue] = field(default_factory=list)
    body: Optional[bytes] = None
    timeout_ms: Optional[int] = None
    reply_tag: Optional[str] = None


@dataclass
class Emit:
    """A new event for other plugins."""

    kind: str
    body: Body = b""
    subject: str = ""
    content_type: Optional[str] = None


@dataclass
class Wake:
    """Ask to be told again later: an event of kind `tidegate.wake` about the same subject, for this plugin alone."""

    after_ms: int
    tag: str = ""
    body: Body = b""


@dataclass
class Remember:
    """Replace this plugin's memory of the subject; None forgets it."""

    memory: Optional[Body]


@dataclass
class Note:
    """A line on the event's timeline, for people."""

    text: str


@dataclass
class Other:
    """A decision of a kind that a later host knows."""

    kind: str
    body: Body = b""


Decision = Union[Http, Emit, Wake, Remember, Note, Other]


def request(
    method: str,
    url: str,
    body: Optional[Body] = None,
    *,
    json: Any = None,
    headers: Headers = (),
    timeout_ms: Optional[int] = None,
    reply_tag: Optional[str] = None,
) -> Http:
    """Asks the host to make an HTTP request. `json` is sent as JSON, with its content type, and `body` as it is.
    `timeout_ms` is the total time one attempt may take. With a `reply_tag` the response comes back as an event."""
    pairs = headers.items() if isinstance(headers, Mapping) else ((each.name, each.value) for each in headers)
    listed = [NameValue(name, value) for name, value in pairs]
    if json is not None:
        body = _json.dumps(json, ensure_ascii=False, separators=(",", ":"))
        if all(each.name.lower() != "content-type" for each in listed):
            listed.insert(0, NameValue("content-type", "application/json"))
    return Http(method, url, listed, None if body is None else to_bytes(body), timeout_ms, reply_tag)


def get(url: str, **options: Any) -> Http:
    """As `request`."""
    return request("GET", url, **options)


def post(url: str, body: Optional[Body] = None, **options: Any) -> Http:
    """As `request`."""
    return request("POST", url, body, **options)


def put(url: str, body: Optional[Body] = None, **options: Any) -> Http:
    """As `request`."""
    return request("PUT", url, body, **options)


def patch(url: str, body: Optional[Body] = None, **options: Any) -> Http:
    """As `request`."""
    return request("PATCH", url, body, **options)


def delete(url: str, **options: Any) -> Http:
    """As `request`."""
    return request("DELETE", url, **options)


def to_bytes(body: Body) -> bytes:
    """Text as UTF-8, bytes as they are."""
    return body.encode() if isinstance(body, str) else bytes(body)


# The plugin's own "no". It is raised; nothing is done then.


class Refusal(Exception):
    """One of those below."""


class Skip(Refusal):
    """This event is none of this plugin's business."""


class Retry(Refusal):
    """Ask again after this many milliseconds."""

    def __init__(self, after_ms: int) -> None:
        super().__init__(after_ms)
        self.after_ms = after_ms


class Park(Refusal):
    """Out of the way, kept whole, for this reason, until a person looks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OtherRefusal(Refusal):
    """A refusal that a later contract names; treated as `Park`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
