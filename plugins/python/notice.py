"""Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
notice to the URL in its settings. Knows nothing of HTTP: the host makes the request."""

from tidegate import Decision, Event, Park, post


def handle(event: Event) -> list[Decision]:
    """An event in, a list of decisions out. What is raised is the refusal."""
    asset = event.asset
    if event.kind != "asset.update" or not asset or not asset.loanee_name:
        return []
    url = event.setting("notice_url")
    if not url:
        raise Park("the setting `notice_url` is missing: say where notices go")
    # The order of the fields is the order in the JSON.
    notice = {
        "text": f"{asset.title} is on loan to {asset.loanee_name}",
        "asset": event.subject if asset.id is None else asset.id,
        "receipt": event.receipt,
    }
    return [post(url, json=notice)]
