// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.
//
// Nothing of the event is freed: each call has an instance of its own, whose memory goes with it. What is
// returned must come from malloc, as the bindings free it.

#include "plugin.h"
#include <stdlib.h>
#include <string.h>

// The generated names are complete; these are short.
typedef exports_tidegate_plugin_handler_event_t event_t;
typedef exports_tidegate_plugin_handler_asset_t asset_t;
typedef exports_tidegate_plugin_handler_name_value_t name_value_t;
typedef exports_tidegate_plugin_handler_decision_t decision_t;
typedef exports_tidegate_plugin_handler_list_decision_t decisions_t;
typedef exports_tidegate_plugin_handler_refusal_t refusal_t;

// Text that grows.
typedef struct {
  uint8_t *bytes;
  size_t len, room;
} text_t;

// Memory, or the end: a plugin that gets none cannot answer.
static void *need(void *memory) {
  if (!memory) abort();
  return memory;
}

static void add_bytes(text_t *text, const void *bytes, size_t len) {
  if (text->room - text->len < len) {
    text->room = (text->len + len) * 2;
    text->bytes = need(realloc(text->bytes, text->room));
  }
  if (len > 0) memcpy(text->bytes + text->len, bytes, len);
  text->len += len;
}

static void add(text_t *text, const char *words) { add_bytes(text, words, strlen(words)); }

static void add_string(text_t *text, plugin_string_t string) { add_bytes(text, string.ptr, string.len); }

// Adds a string as it stands between the quotes of JSON: UTF-8, with as few escapes as JSON allows.
static void add_escaped(text_t *text, plugin_string_t string) {
  static const char *const hex = "0123456789abcdef";
  for (size_t at = 0; at < string.len; at += 1) {
    uint8_t byte = string.ptr[at];
    switch (byte) {
      case '"': add(text, "\\\""); break;
      case '\\': add(text, "\\\\"); break;
      case '\b': add(text, "\\b"); break;
      case '\f': add(text, "\\f"); break;
      case '\n': add(text, "\\n"); break;
      case '\r': add(text, "\\r"); break;
      case '\t': add(text, "\\t"); break;
      default:
        if (byte < 0x20) {
          add(text, "\\u00");
          add_bytes(text, &hex[byte >> 4], 1);
          add_bytes(text, &hex[byte & 15], 1);
        } else {
          add_bytes(text, &byte, 1);
        }
    }
  }
}

static bool is(plugin_string_t string, const char *words) {
  return string.len == strlen(words) && memcmp(string.ptr, words, string.len) == 0;
}

// Text that is there and not empty.
static bool is_given(const plugin_option_string_t *text) { return text->is_some && text->val.len > 0; }

// Adds the name of who has the asset; says whether this event says that somebody has.
static bool add_loanee(text_t *text, const asset_t *asset) {
  if (!asset->loanee.is_some) return false;
  if (is_given(&asset->loanee.val.name)) {
    add_string(text, asset->loanee.val.name.val);
    return true;
  }
  if (!is_given(&asset->loanee.val.id)) return false;
  add(text, "person ");
  add_string(text, asset->loanee.val.id.val);
  return true;
}

// Adds `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
static void add_title(text_t *text, const asset_t *asset) {
  if (is_given(&asset->name)) {
    add_string(text, asset->name.val);
  } else {
    add(text, "An asset");
  }
  if (asset->asset_type.is_some && is_given(&asset->asset_type.val.name)) {
    add(text, " (");
    add_string(text, asset->asset_type.val.name.val);
    add(text, ")");
  }
}

// The setting of this name, empty when there is none.
static plugin_string_t setting(const event_t *event, const char *name) {
  for (size_t at = 0; at < event->settings.len; at += 1) {
    if (is(event->settings.ptr[at].name, name)) return event->settings.ptr[at].value;
  }
  return (plugin_string_t){0};
}

static text_t notice(const event_t *event, plugin_string_t loanee) {
  const asset_t *asset = &event->asset.val;
  text_t title = {0}, json = {0};
  add_title(&title, asset);
  add(&title, " is on loan to ");
  add_string(&title, loanee);
  add(&json, "{\"text\":\"");
  add_escaped(&json, (plugin_string_t){title.bytes, title.len});
  add(&json, "\",\"asset\":\"");
  add_escaped(&json, asset->id.is_some ? asset->id.val : event->subject);
  add(&json, "\",\"receipt\":\"");
  add_escaped(&json, event->receipt);
  add(&json, "\"}");
  return json;
}

static decision_t post(plugin_string_t url, text_t body) {
  name_value_t *header = need(malloc(sizeof *header));
  plugin_string_dup(&header->name, "content-type");
  plugin_string_dup(&header->value, "application/json");
  decision_t decision = {.tag = EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_HTTP};
  plugin_string_dup(&decision.val.http.method, "POST");
  plugin_string_dup_n(&decision.val.http.url, (const char *)url.ptr, url.len);
  decision.val.http.headers.ptr = header;
  decision.val.http.headers.len = 1;
  decision.val.http.body.is_some = true;
  decision.val.http.body.val = (plugin_list_u8_t){body.bytes, body.len};
  return decision;
}

// True: `decisions` holds them. False: `refusal` says why not.
bool exports_tidegate_plugin_handler_handle(event_t *event, decisions_t *decisions, refusal_t *refusal) {
  *decisions = (decisions_t){0};
  text_t loanee = {0};
  if (!is(event->kind, "asset.update") || !event->asset.is_some || !add_loanee(&loanee, &event->asset.val)) {
    return true;
  }
  plugin_string_t url = setting(event, "notice_url");
  if (url.len == 0) {
    refusal->tag = EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_PARK;
    plugin_string_dup(&refusal->val.park, "the setting `notice_url` is missing: say where notices go");
    return false;
  }
  decisions->ptr = need(malloc(sizeof *decisions->ptr));
  decisions->ptr[0] = post(url, notice(event, (plugin_string_t){loanee.bytes, loanee.len}));
  decisions->len = 1;
  return true;
}
