// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

#include "tidegate.hpp"

using tidegate::Asset, tidegate::Reference, tidegate::Text, std::string;

// The name of who has the asset, empty when this event does not say that somebody has.
static string loanee_of(const Asset &asset) {
  auto loanee = asset.loanee.value_or(Reference{});
  if (auto name = loanee.name.value_or(""); !name.empty()) return string(name);
  auto id = loanee.id.value_or("");
  return id.empty() ? "" : "person " + string(id);
}

// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
static string title(const Asset &asset) {
  auto name = asset.name.value_or("");
  auto type = asset.asset_type.value_or(Reference{}).name.value_or("");
  string title(name.empty() ? "An asset" : name);
  return type.empty() ? title : title + " (" + string(type) + ")";
}

tidegate::Answer handle(const tidegate::Event &event) {
  if (event.kind != "asset.update" || !event.asset) return {};
  auto loanee = loanee_of(*event.asset);
  if (loanee.empty()) return {};
  auto url = event.setting("notice_url");
  if (url.empty()) return tidegate::park("the setting `notice_url` is missing: say where notices go");
  auto notice = "{\"text\":" + tidegate::json(title(*event.asset) + " is on loan to " + loanee) +
                ",\"asset\":" + tidegate::json(event.asset->id.value_or(event.subject)) +
                ",\"receipt\":" + tidegate::json(event.receipt) + "}";
  return {{tidegate::post_json(url, notice)}};
}
