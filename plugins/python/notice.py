"""Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
notice to the URL in its settings. Knows nothing of HTTP: the host makes the request."""

import json
from typing import Optional

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Asset, Decision, Decision_Http, Event, Http, NameValue, Refusal_Park


class Handler(exports.Handler):
    # An event in, a list of decisions out. An `Err` that is raised is the refusal.
    def handle(self, event: Event) -> list[Decision]:
        loanee = loanee_of(event.asset) if event.kind == "asset.update" else None
        if not loanee:
            return []
        url = setting(event, "notice_url")
        if not url:
            raise Err(Refusal_Park("the setting `notice_url` is missing: say where notices go"))
        # The order of the fields is the order in the JSON.
        notice = {
            "text": f"{title(event.asset)} is on loan to {loanee}",
            "asset": event.subject if event.asset.id is None else event.asset.id,
            "receipt": event.receipt,
        }
        return [post(url, json.dumps(notice, ensure_ascii=False, separators=(",", ":")))]


def loanee_of(asset: Optional[Asset]) -> Optional[str]:
    """The name of who has it, when this event says that somebody has."""
    loanee = asset.loanee if asset else None
    if not loanee:
        return None
    return loanee.name or (f"person {loanee.id}" if loanee.id else None)


def title(asset: Asset) -> str:
    """`Spare-02 (2 in 3 Laptop)`, as far as the sender said."""
    name = asset.name or "An asset"
    kind = asset.asset_type and asset.asset_type.name
    return f"{name} ({kind})" if kind else name


def setting(event: Event, name: str) -> Optional[str]:
    return next((setting.value for setting in event.settings if setting.name == name), None)


def post(url: str, text: str) -> Decision:
    headers = [NameValue("content-type", "application/json")]
    return Decision_Http(Http("POST", url, headers, text.encode(), timeout_ms=None, reply_tag=None))
