// What a plugin in C++ is written with: the contract in the standard library's types. Knows nothing of any one plugin.
// What each field means, and what its absence means, is said in wit/v1/plugin.wit.
//
// What an event says is a view of memory that lives as long as the call; what an answer says is the plugin's own.

#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tidegate {

// UTF-8 in an event, of any length.
using Text = std::string_view;
// Bytes in an event.
using View = std::span<const std::uint8_t>;
// Bytes in an answer.
using Bytes = std::vector<std::uint8_t>;

// A setting or an attribute.
struct NameValue {
  Text name, value;
};

// A thing the asset points at.
struct Reference {
  std::optional<Text> id, name;
};

// A typed view of the body of an asset event.
struct Asset {
  std::optional<Text> id, name;
  std::optional<Reference> asset_type, location, loanee;
  std::optional<Text> created_at, updated_at, field_values;
};

// How this delivery stands to those before it.
struct Arrival {
  enum Class : std::uint8_t { first, duplicate, stale, conflict, after_delete, other };
  Class is;
  // The class in words, when it is `other`.
  Text words;
};

// What a plugin is told.
struct Event {
  Text receipt, source, kind, subject;
  std::uint64_t received_at_ms;
  std::optional<std::uint64_t> occurred_at_ms;
  Arrival arrival;
  std::uint32_t attempt;
  std::optional<Text> content_type;
  View body;
  std::optional<Asset> asset;
  std::optional<Text> previous;
  std::vector<Text> changed;
  std::optional<View> memory;
  std::vector<NameValue> settings, attributes;

  // The setting, or the attribute, of this name; empty when there is none.
  Text setting(Text name) const;
  Text attribute(Text name) const;
};

// Decisions.

// Ask the host to make an HTTP request.
struct Http {
  std::string method, url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<Bytes> body;
  std::optional<std::uint32_t> timeout_ms;
  std::optional<std::string> reply_tag;
};

// A new event for other plugins.
struct Emit {
  std::string kind, subject;
  std::optional<std::string> content_type;
  Bytes body;
};

// Ask to be told again later.
struct Wake {
  std::uint64_t after_ms;
  std::string tag;
  Bytes body;
};

// Replace this plugin's memory of the subject; absent forgets it.
struct Remember {
  std::optional<Bytes> memory;
};

// A line on the event's timeline, for people.
struct Note {
  std::string line;
};

// A kind of decision that the contract does not name.
struct OtherDecision {
  std::string kind;
  Bytes body;
};

using Decision = std::variant<Http, Emit, Wake, Remember, Note, OtherDecision>;

// The plugin's own "no".
struct Refusal {
  enum Class : std::uint8_t { skip, retry_after_ms, park, other };
  Class is;
  std::uint64_t ms = 0;
  std::string reason;
};

// Decisions, or the refusal.
using Answer = std::expected<std::vector<Decision>, Refusal>;
using Refused = std::unexpected<Refusal>;

// This event is none of this plugin's business.
Refused skip();
// Ask again after so many milliseconds.
Refused retry_after_ms(std::uint64_t ms);
// Out of the way, for this reason, until a person looks.
Refused park(std::string reason);
// A refusal that the contract does not name.
Refused refuse(std::string reason);

// A POST of JSON text.
Http post_json(Text url, Text json);
// Text as a string of JSON, in quotes, with as few escapes as JSON allows.
std::string json(Text text);
// Text as the bytes of an answer.
Bytes bytes(Text text);

}  // namespace tidegate

// The one function that a plugin has.
tidegate::Answer handle(const tidegate::Event &event);
