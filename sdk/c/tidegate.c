// The calls of tidegate.h, and the contract's export, which calls the plugin. What it returns comes from malloc, as the
// bindings free it after the answer.

#include "tidegate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef exports_tidegate_plugin_handler_decision_t decision_t;
typedef exports_tidegate_plugin_handler_list_decision_t decisions_t;
typedef exports_tidegate_plugin_handler_refusal_t refusal_t;

struct tg_answer {
  decisions_t decisions;
  size_t room;
  bool is_refused;
  refusal_t refusal;
};

// True: `decisions` holds them. False: `refusal` says why not.
bool exports_tidegate_plugin_handler_handle(tg_event *event, decisions_t *decisions, refusal_t *refusal) {
  tg_answer answer = {0};
  handle(event, &answer);
  // What was printed is in stdio's hands, and nobody else ends the program.
  fflush(NULL);
  *decisions = answer.decisions;
  *refusal = answer.refusal;
  return !answer.is_refused;
}

// Memory of at least one byte.
static void *need(size_t bytes) {
  void *memory = malloc(bytes > 0 ? bytes : 1);
  if (!memory) abort();
  return memory;
}

static void *copy(const void *bytes, size_t len) {
  void *memory = need(len);
  if (len > 0) memcpy(memory, bytes, len);
  return memory;
}

static tg_text own(tg_text text) { return (tg_text){copy(text.ptr, text.len), text.len}; }

static tg_bytes own_bytes(tg_bytes bytes) { return (tg_bytes){copy(bytes.ptr, bytes.len), bytes.len}; }

static tg_optional_text own_optional(tg_optional_text text) {
  return text.is_some ? tg_some_text(own(text.val)) : (tg_optional_text){0};
}

static decision_t *add(tg_answer *answer, uint8_t tag) {
  decisions_t *decisions = &answer->decisions;
  if (decisions->len == answer->room) {
    answer->room = answer->room * 2 + 1;
    decisions->ptr = realloc(decisions->ptr, answer->room * sizeof *decisions->ptr);
    if (!decisions->ptr) abort();
  }
  decision_t *decision = &decisions->ptr[decisions->len];
  decisions->len += 1;
  *decision = (decision_t){.tag = tag};
  return decision;
}

void tg_add_http(tg_answer *answer, tg_http request) {
  tg_http *http = &add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_HTTP)->val.http;
  http->method = own(request.method);
  http->url = own(request.url);
  http->headers.len = request.headers.len;
  http->headers.ptr = need(request.headers.len * sizeof *http->headers.ptr);
  for (size_t at = 0; at < request.headers.len; at += 1) {
    const tg_name_value *header = &request.headers.ptr[at];
    http->headers.ptr[at] = (tg_name_value){own(header->name), own(header->value)};
  }
  if (request.body.is_some) http->body = tg_some_bytes(own_bytes(request.body.val));
  http->timeout_ms = request.timeout_ms;
  http->reply_tag = own_optional(request.reply_tag);
}

void tg_post_json(tg_answer *answer, tg_text url, tg_text json) {
  tg_name_value header = {tg("content-type"), tg("application/json")};
  tg_add_http(answer, (tg_http){
                          .method = tg("POST"),
                          .url = url,
                          .headers = {&header, 1},
                          .body = tg_some_bytes(tg_as_bytes(json)),
                      });
}

void tg_add_emit(tg_answer *answer, tg_emit event) {
  tg_emit *emit = &add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_EMIT)->val.emit;
  emit->kind = own(event.kind);
  emit->subject = own(event.subject);
  emit->content_type = own_optional(event.content_type);
  emit->body = own_bytes(event.body);
}

void tg_add_wake(tg_answer *answer, tg_wake wake) {
  add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_WAKE)->val.wake =
      (tg_wake){wake.after_ms, own(wake.tag), own_bytes(wake.body)};
}

void tg_remember(tg_answer *answer, tg_bytes memory) {
  add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_REMEMBER)->val.remember = tg_some_bytes(own_bytes(memory));
}

void tg_forget(tg_answer *answer) {
  add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_REMEMBER)->val.remember = (tg_optional_bytes){0};
}

void tg_note(tg_answer *answer, tg_text line) {
  add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_NOTE)->val.note = own(line);
}

void tg_add_other(tg_answer *answer, tg_text kind, tg_bytes body) {
  decision_t *decision = add(answer, EXPORTS_TIDEGATE_PLUGIN_HANDLER_DECISION_OTHER);
  decision->val.other.kind = own(kind);
  decision->val.other.body = own_bytes(body);
}

static void refuse(tg_answer *answer, refusal_t refusal) {
  answer->is_refused = true;
  answer->refusal = refusal;
}

void tg_skip(tg_answer *answer) {
  refuse(answer, (refusal_t){.tag = EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_SKIP});
}

void tg_retry_after_ms(tg_answer *answer, uint64_t ms) {
  refuse(answer, (refusal_t){EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_RETRY_AFTER_MS, {.retry_after_ms = ms}});
}

void tg_park(tg_answer *answer, tg_text reason) {
  refuse(answer, (refusal_t){EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_PARK, {.park = own(reason)}});
}

void tg_refuse(tg_answer *answer, tg_text reason) {
  refuse(answer, (refusal_t){EXPORTS_TIDEGATE_PLUGIN_HANDLER_REFUSAL_OTHER, {.other = own(reason)}});
}

const tg_asset *tg_asset_of(const tg_event *event) { return event->asset.is_some ? &event->asset.val : NULL; }

static tg_text find(tg_name_values list, const char *name) {
  for (size_t at = 0; at < list.len; at += 1) {
    if (tg_is(list.ptr[at].name, name)) return list.ptr[at].value;
  }
  return (tg_text){0};
}

tg_text tg_setting(const tg_event *event, const char *name) { return find(event->settings, name); }

tg_text tg_attribute(const tg_event *event, const char *name) { return find(event->attributes, name); }

tg_text tg_name_of(tg_optional_reference reference) {
  return reference.is_some ? tg_or(reference.val.name, (tg_text){0}) : (tg_text){0};
}

tg_text tg_id_of(tg_optional_reference reference) {
  return reference.is_some ? tg_or(reference.val.id, (tg_text){0}) : (tg_text){0};
}

tg_text tg_or(tg_optional_text text, tg_text otherwise) { return text.is_some ? text.val : otherwise; }

tg_text tg(const char *words) { return (tg_text){(uint8_t *)words, strlen(words)}; }

bool tg_is(tg_text text, const char *words) {
  return text.len == strlen(words) && memcmp(text.ptr, words, text.len) == 0;
}

tg_bytes tg_as_bytes(tg_text text) { return (tg_bytes){text.ptr, text.len}; }

tg_text tg_as_text(tg_bytes bytes) { return (tg_text){bytes.ptr, bytes.len}; }

tg_optional_text tg_some_text(tg_text text) { return (tg_optional_text){true, text}; }

tg_optional_bytes tg_some_bytes(tg_bytes bytes) { return (tg_optional_bytes){true, bytes}; }

void tg_write_text(tg_writer *writer, tg_text text) {
  tg_text *all = &writer->text;
  if (writer->room - all->len < text.len) {
    writer->room = (all->len + text.len) * 2;
    all->ptr = realloc(all->ptr, writer->room);
    if (!all->ptr) abort();
  }
  if (text.len > 0) memcpy(all->ptr + all->len, text.ptr, text.len);
  all->len += text.len;
}

void tg_write(tg_writer *writer, const char *words) { tg_write_text(writer, tg(words)); }

void tg_write_json(tg_writer *writer, tg_text text) {
  static const char letters[] = "\b\t\n\f\r\"\\";
  static const char escapes[] = "btnfr\"\\";
  static const char hex[] = "0123456789abcdef";
  tg_write(writer, "\"");
  for (size_t at = 0; at < text.len; at += 1) {
    uint8_t byte = text.ptr[at];
    const char *letter = byte ? strchr(letters, byte) : NULL;
    if (letter) {
      tg_write_text(writer, (tg_text){(uint8_t[]){'\\', (uint8_t)escapes[letter - letters]}, 2});
    } else if (byte < 0x20) {
      tg_write(writer, "\\u00");
      tg_write_text(writer, (tg_text){(uint8_t[]){(uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15]}, 2});
    } else {
      tg_write_text(writer, (tg_text){&text.ptr[at], 1});
    }
  }
  tg_write(writer, "\"");
}

void tg_write_number(tg_writer *writer, uint64_t number) {
  uint8_t digits[20];
  size_t at = sizeof digits;
  do {
    at -= 1;
    digits[at] = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  tg_write_text(writer, (tg_text){&digits[at], sizeof digits - at});
}
