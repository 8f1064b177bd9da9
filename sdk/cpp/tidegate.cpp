// The calls of tidegate.hpp, and the contract's export, which calls the plugin. The bindings are C's. What is returned
// comes from malloc, as they free it after the answer.

#include "tidegate.hpp"
#include "plugin.h"
#include <cstdlib>
#include <cstring>

// What the standard library calls when its rules are broken, a vector that grows too long, say. Its own says so with printf,
// which would be most of the component and would import WASI; a fault names the functions it happened in.
_LIBCPP_BEGIN_NAMESPACE_STD
void __libcpp_verbose_abort(const char *, ...) _NOEXCEPT { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD

namespace tidegate {
namespace {

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};

// What an event says.

Text view(const plugin_string_t &text) { return {reinterpret_cast<const char *>(text.ptr), text.len}; }

View view(const plugin_list_u8_t &bytes) { return {bytes.ptr, bytes.len}; }

Reference view(const exports_tidegate_plugin_handler_reference_t &reference);
Asset view(const exports_tidegate_plugin_handler_asset_t &asset);

template <class Optional>
auto maybe(const Optional &value) -> std::optional<decltype(view(value.val))> {
  if (!value.is_some) return std::nullopt;
  return view(value.val);
}

Reference view(const exports_tidegate_plugin_handler_reference_t &reference) {
  return {maybe(reference.id), maybe(reference.name)};
}

Asset view(const exports_tidegate_plugin_handler_asset_t &asset) {
  return {
      .id = maybe(asset.id),
      .name = maybe(asset.name),
      .asset_type = maybe(asset.asset_type),
      .location = maybe(asset.location),
      .loanee = maybe(asset.loanee),
      .created_at = maybe(asset.created_at),
      .updated_at = maybe(asset.updated_at),
      .field_values = maybe(asset.field_values),
  };
}

std::vector<NameValue> view(const exports_tidegate_plugin_handler_list_name_value_t &list) {
  std::vector<NameValue> all;
  for (const auto &one : std::span(list.ptr, list.len)) all.push_back({view(one.name), view(one.value)});
  return all;
}

std::vector<Text> view(const plugin_list_string_t &list) {
  std::vector<Text> all;
  for (const auto &one : std::span(list.ptr, list.len)) all.push_back(view(one));
  return all;
}

Arrival view(const exports_tidegate_plugin_handler_arrival_t &arrival) {
  auto is = static_cast<Arrival::Class>(arrival.tag);
  return {is, is == Arrival::other ? view(arrival.val.other) : Text()};
}

Event view(const exports_tidegate_plugin_handler_event_t &event) {
  std::optional<std::uint64_t> occurred_at_ms;
  if (event.occurred_at_ms.is_some) occurred_at_ms = event.occurred_at_ms.val;
  return {
      .receipt = view(event.receipt),
      .source = view(event.source),
      .kind = view(event.kind),
      .subject = view(event.subject),
      .received_at_ms = event.received_at_ms,
      .occurred_at_ms = occurred_at_ms,
      .arrival = view(event.arrival),
      .attempt = event.attempt,
      .content_type = maybe(event.content_type),
      .body = view(event.body),
      .asset = maybe(event.asset),
      .previous = maybe(event.previous),
      .changed = view(event.changed),
      .memory = maybe(event.memory),
      .settings = view(event.settings),
      .attributes = view(event.attributes),
  };
}

Text find(const std::vector<NameValue> &list, Text name) {
  for (const auto &one : list) {
    if (one.name == name) return one.value;
  }
  return {};
}

// What an answer says.

// Memory of at least one of them; a plugin that gets none cannot answer.
template <class T>
T *need(std::size_t count) {
  void *memory = std::calloc(count > 0 ? count : 1, sizeof(T));
  if (!memory) std::abort();
  return static_cast<T *>(memory);
}

plugin_list_u8_t own(View bytes) {
  auto *memory = need<std::uint8_t>(bytes.size());
  if (!bytes.empty()) std::memcpy(memory, bytes.data(), bytes.size());
  return {memory, bytes.size()};
}

plugin_string_t own(Text text) {
  auto copy = own(View(reinterpret_cast<const std::uint8_t *>(text.data()), text.size()));
  return {copy.ptr, copy.len};
}

plugin_option_string_t own(const std::optional<std::string> &text) {
  return text ? plugin_option_string_t{true, own(Text(*text))} : plugin_option_string_t{};
}

plugin_option_list_u8_t own(const std::optional<Bytes> &bytes) {
  return bytes ? plugin_option_list_u8_t{true, own(View(*bytes))} : plugin_option_list_u8_t{};
}

exports_tidegate_plugin_handler_http_t own(const Http &http) {
  auto *headers = need<exports_tidegate_plugin_handler_name_value_t>(http.headers.size());
  for (std::size_t at = 0; at < http.headers.size(); at += 1) {
    headers[at] = {own(Text(http.headers[at].first)), own(Text(http.headers[at].second))};
  }
  plugin_option_u32_t timeout_ms{http.timeout_ms.has_value(), http.timeout_ms.value_or(0)};
  return {
      .method = own(Text(http.method)),
      .url = own(Text(http.url)),
      .headers = {headers, http.headers.size()},
      .body = own(http.body),
      .timeout_ms = timeout_ms,
      .reply_tag = own(http.reply_tag),
  };
}

exports_tidegate_plugin_handler_decision_t own(const Decision &decision) {
  // The order of the variant's cases is the contract's.
  exports_tidegate_plugin_handler_decision_t owned{.tag = static_cast<std::uint8_t>(decision.index()), .val = {}};
  std::visit(Match{
                 [&](const Http &http) { owned.val.http = own(http); },
                 [&](const Emit &emit) {
                   owned.val.emit = {own(Text(emit.kind)), own(Text(emit.subject)), own(emit.content_type),
                                     own(View(emit.body))};
                 },
                 [&](const Wake &wake) {
                   owned.val.wake = {wake.after_ms, own(Text(wake.tag)), own(View(wake.body))};
                 },
                 [&](const Remember &remember) { owned.val.remember = own(remember.memory); },
                 [&](const Note &note) { owned.val.note = own(Text(note.line)); },
                 [&](const OtherDecision &other) {
                   owned.val.other = {own(Text(other.kind)), own(View(other.body))};
                 },
             },
             decision);
  return owned;
}

exports_tidegate_plugin_handler_refusal_t own(const Refusal &refusal) {
  exports_tidegate_plugin_handler_refusal_t owned{.tag = refusal.is, .val = {}};
  switch (refusal.is) {
    case Refusal::skip: break;
    case Refusal::retry_after_ms: owned.val.retry_after_ms = refusal.ms; break;
    case Refusal::park: owned.val.park = own(Text(refusal.reason)); break;
    case Refusal::other: owned.val.other = own(Text(refusal.reason)); break;
  }
  return owned;
}

}  // namespace

Text Event::setting(Text name) const { return find(settings, name); }

Text Event::attribute(Text name) const { return find(attributes, name); }

Refused skip() { return Refused({Refusal::skip}); }

Refused retry_after_ms(std::uint64_t ms) { return Refused({Refusal::retry_after_ms, ms}); }

Refused park(std::string reason) { return Refused({Refusal::park, 0, std::move(reason)}); }

Refused refuse(std::string reason) { return Refused({Refusal::other, 0, std::move(reason)}); }

Http post_json(Text url, Text json) {
  return {
      .method = "POST",
      .url = std::string(url),
      .headers = {{"content-type", "application/json"}},
      .body = bytes(json),
  };
}

std::string json(Text text) {
  constexpr Text letters = "\b\t\n\f\r\"\\", escapes = "btnfr\"\\", hex = "0123456789abcdef";
  std::string json = "\"";
  for (char letter : text) {
    auto known = letters.find(letter);
    if (known != Text::npos) {
      json += {'\\', escapes[known]};
    } else if (auto byte = static_cast<unsigned char>(letter); byte < 0x20) {
      json += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    } else {
      json += letter;
    }
  }
  return json += '"';
}

Bytes bytes(Text text) { return Bytes(text.begin(), text.end()); }

}  // namespace tidegate

// True: `decisions` holds them. False: `refusal` says why not.
bool exports_tidegate_plugin_handler_handle(exports_tidegate_plugin_handler_event_t *event,
                                            exports_tidegate_plugin_handler_list_decision_t *decisions,
                                            exports_tidegate_plugin_handler_refusal_t *refusal) {
  auto answer = handle(tidegate::view(*event));
  if (!answer) {
    *refusal = tidegate::own(answer.error());
    return false;
  }
  auto *owned = tidegate::need<exports_tidegate_plugin_handler_decision_t>(answer->size());
  for (std::size_t at = 0; at < answer->size(); at += 1) owned[at] = tidegate::own((*answer)[at]);
  *decisions = {owned, answer->size()};
  return true;
}
