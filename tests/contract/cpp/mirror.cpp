// Answers with everything it was told, so that a test sees that C++ reads every field and gives every case.

#include "tidegate.hpp"

using tidegate::Text, tidegate::View, std::optional, std::string;

static tidegate::Bytes copy(View bytes) { return {bytes.begin(), bytes.end()}; }

static string hex(View bytes) {
  constexpr Text digits = "0123456789abcdef";
  string hex;
  for (auto byte : bytes) hex += {digits[byte >> 4], digits[byte & 15]};
  return hex;
}

static string line(Text name, Text value) { return string(name) + "=" + string(value) + "\n"; }

static string maybe(Text name, const optional<Text> &value) { return line(name, value ? "+" + string(*value) : "-"); }

static string lines(const string &name, const optional<tidegate::Reference> &reference) {
  if (!reference) return line(name, "-");
  return maybe(name + ".id", reference->id) + maybe(name + ".name", reference->name);
}

static string lines(const optional<tidegate::Asset> &asset) {
  if (!asset) return line("asset", "-");
  return maybe("asset.id", asset->id) + maybe("asset.name", asset->name) +
         lines("asset.asset-type", asset->asset_type) + lines("asset.location", asset->location) +
         lines("asset.loanee", asset->loanee) + maybe("asset.created-at", asset->created_at) +
         maybe("asset.updated-at", asset->updated_at) + maybe("asset.field-values", asset->field_values);
}

static string lines(Text name, const std::vector<tidegate::NameValue> &list) {
  string lines;
  for (const auto &one : list) lines += line(name, string(one.name) + "=" + string(one.value));
  return lines;
}

static string words(const tidegate::Arrival &arrival) {
  switch (arrival.is) {
    case tidegate::Arrival::first: return "first";
    case tidegate::Arrival::duplicate: return "duplicate";
    case tidegate::Arrival::stale: return "stale";
    case tidegate::Arrival::conflict: return "conflict";
    case tidegate::Arrival::after_delete: return "after-delete";
    case tidegate::Arrival::other: return "other:" + string(arrival.words);
  }
  return "?";
}

static string dump(const tidegate::Event &event) {
  auto &occurred = event.occurred_at_ms;
  string dump = line("receipt", event.receipt) + line("source", event.source) + line("kind", event.kind) +
                line("subject", event.subject) + line("received-at-ms", std::to_string(event.received_at_ms)) +
                line("occurred-at-ms", occurred ? "+" + std::to_string(*occurred) : "-") +
                line("arrival", words(event.arrival)) + line("attempt", std::to_string(event.attempt)) +
                maybe("content-type", event.content_type) + line("body", hex(event.body)) + lines(event.asset) +
                maybe("previous", event.previous);
  for (auto pointer : event.changed) dump += line("changed", pointer);
  return dump + line("memory", event.memory ? "+" + hex(*event.memory) : "-") + lines("setting", event.settings) +
         lines("attribute", event.attributes);
}

static optional<string> own(const optional<Text> &text) {
  if (!text) return std::nullopt;
  return string(*text);
}

tidegate::Answer handle(const tidegate::Event &event) {
  if (event.kind == "refuse.skip") return tidegate::skip();
  if (event.kind == "refuse.retry") return tidegate::retry_after_ms(event.received_at_ms);
  if (event.kind == "refuse.park") return tidegate::park(string(event.subject));
  if (event.kind == "refuse.other") return tidegate::refuse(string(event.subject));

  tidegate::Http http{.method = "PUT", .url = "https://a.example/" + string(event.subject)};
  for (const auto &setting : event.settings) http.headers.emplace_back(setting.name, setting.value);
  if (!event.body.empty()) http.body = copy(event.body);
  if (event.attempt != 1) http.timeout_ms = event.attempt;
  http.reply_tag = own(event.content_type);
  tidegate::Remember remember;
  if (event.memory) remember.memory = copy(*event.memory);
  return {{
      tidegate::OtherDecision{"mirror", tidegate::bytes(dump(event))},
      http,
      tidegate::Emit{"mirror.emitted", string(event.subject), own(event.content_type), copy(event.body)},
      tidegate::Wake{event.occurred_at_ms.value_or(0), string(event.receipt), copy(event.memory.value_or(View()))},
      remember,
      tidegate::Note{string(event.kind)},
  }};
}
