// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.
//
// Nothing of the event is freed: each call has an instance of its own, whose memory goes with it. What is
// returned must come from malloc, as the bindings free it.

#include "plugin.h"
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace {

// The generated names are complete; these are short.
using Event = exports_tidegate_plugin_handler_event_t;
using Asset = exports_tidegate_plugin_handler_asset_t;
using NameValue = exports_tidegate_plugin_handler_name_value_t;
using Decision = exports_tidegate_plugin_handler_decision_t;
using Decisions = exports_tidegate_plugin_handler_list_decision_t;
using Refusal = exports_tidegate_plugin_handler_refusal_t;

std::string_view view(const plugin_string_t &string) {
  return {reinterpret_cast<const char *>(string.ptr), string.len};
}

// What is there and not empty.
std::optional<std::string_view> given(const plugin_option_string_t &string) {
  if (!string.is_some || string.val.len == 0) return std::nullopt;
  return view(string.val);
}

// Memory that the bindings may free; a plugin that gets none cannot answer.
void *need(std::size_t bytes) {
  void *memory = std::malloc(bytes);
  if (!memory) std::abort();
  return memory;
}

plugin_string_t owned(std::string_view text) {
  plugin_string_t string;
  plugin_string_dup_n(&string, text.data(), text.size());
  return string;
}

// A string of JSON: UTF-8, with as few escapes as JSON allows.
std::string quoted(std::string_view text) {
  constexpr const char *hex = "0123456789abcdef";
  std::string json = "\"";
  for (char letter : text) {
    switch (letter) {
      case '"': json += "\\\""; break;
      case '\\': json += "\\\\"; break;
      case '\b': json += "\\b"; break;
      case '\f': json += "\\f"; break;
      case '\n': json += "\\n"; break;
      case '\r': json += "\\r"; break;
      case '\t': json += "\\t"; break;
      default:
        if (static_cast<unsigned char>(letter) < 0x20) {
          json += "\\u00";
          json += hex[letter >> 4];
          json += hex[letter & 15];
        } else {
          json += letter;
        }
    }
  }
  return json += '"';
}

// The name of who has the asset, when this event says that somebody has.
std::optional<std::string> loanee_of(const Asset &asset) {
  if (!asset.loanee.is_some) return std::nullopt;
  if (auto name = given(asset.loanee.val.name)) return std::string(*name);
  if (auto id = given(asset.loanee.val.id)) return "person " + std::string(*id);
  return std::nullopt;
}

// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
std::string title(const Asset &asset) {
  std::string title(given(asset.name).value_or("An asset"));
  if (!asset.asset_type.is_some) return title;
  auto kind = given(asset.asset_type.val.name);
  return kind ? title + " (" + std::string(*kind) + ")" : title;
}

// The setting of this name, empty when there is none.
std::string_view setting(const Event &event, std::string_view name) {
  for (std::size_t at = 0; at < event.settings.len; at += 1) {
    const NameValue &setting = event.settings.ptr[at];
    if (view(setting.name) == name) return view(setting.value);
  }
  return {};
}

Decision post(std::string_view url, std::string_view body) {
  auto *header = static_cast<NameValue *>(need(sizeof(NameValue)));
  *header = {owned("content-type"), owned("application/json")};
  auto *bytes = static_cast<std::uint8_t *>(need(body.size()));
  std::memcpy(bytes, body.data(), body.size());
  Decision decision{};
  decision.tag = EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_HTTP;
  decision.val.http.method = owned("POST");
  decision.val.http.url = owned(url);
  decision.val.http.headers = {header, 1};
  decision.val.http.body = {true, {bytes, body.size()}};
  return decision;
}

}  // namespace

// True: `decisions` holds them. False: `refusal` says why not.
bool exports_tidegate_plugin_handler_handle(Event *event, Decisions *decisions, Refusal *refusal) {
  *decisions = {};
  if (view(event->kind) != "asset.update" || !event->asset.is_some) return true;
  const Asset &asset = event->asset.val;
  auto loanee = loanee_of(asset);
  if (!loanee) return true;
  auto url = setting(*event, "notice_url");
  if (url.empty()) {
    refusal->tag = EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_PARK;
    refusal->val.park = owned("the setting `notice_url` is missing: say where notices go");
    return false;
  }
  std::string body = "{\"text\":" + quoted(title(asset) + " is on loan to " + *loanee);
  body += ",\"asset\":" + quoted(view(asset.id.is_some ? asset.id.val : event->subject));
  body += ",\"receipt\":" + quoted(view(event->receipt)) + "}";
  *decisions = {static_cast<Decision *>(need(sizeof(Decision))), 1};
  decisions->ptr[0] = post(url, body);
  return true;
}
