// Answers with everything it was told, so that a test sees that C reads every field and gives every case.

#include "tidegate.h"

static void start(tg_writer *dump, const char *name) {
  tg_write(dump, name);
  tg_write(dump, "=");
}

static void text(tg_writer *dump, const char *name, tg_text value) {
  start(dump, name);
  tg_write_text(dump, value);
  tg_write(dump, "\n");
}

static void number(tg_writer *dump, const char *name, uint64_t value) {
  start(dump, name);
  tg_write_number(dump, value);
  tg_write(dump, "\n");
}

static void hex(tg_writer *dump, tg_bytes bytes) {
  static const char digits[] = "0123456789abcdef";
  for (size_t at = 0; at < bytes.len; at += 1) {
    uint8_t byte = bytes.ptr[at];
    tg_write(dump, (char[]){digits[byte >> 4], digits[byte & 15], 0});
  }
}

static void optional(tg_writer *dump, const char *name, tg_optional_text value) {
  start(dump, name);
  tg_write(dump, value.is_some ? "+" : "-");
  if (value.is_some) tg_write_text(dump, value.val);
  tg_write(dump, "\n");
}

static void arrival(tg_writer *dump, const tg_event *event) {
  static const char *const names[] = {
      [TG_FIRST] = "first",       [TG_DUPLICATE] = "duplicate",       [TG_STALE] = "stale",
      [TG_CONFLICT] = "conflict", [TG_AFTER_DELETE] = "after-delete", [TG_OTHER] = "other:",
  };
  start(dump, "arrival");
  tg_write(dump, names[event->arrival.tag]);
  if (event->arrival.tag == TG_OTHER) tg_write_text(dump, event->arrival.val.other);
  tg_write(dump, "\n");
}

static void reference(tg_writer *dump, const char *name, tg_optional_reference reference) {
  if (!reference.is_some) {
    start(dump, name);
    tg_write(dump, "-\n");
    return;
  }
  tg_write(dump, name);
  optional(dump, ".id", reference.val.id);
  tg_write(dump, name);
  optional(dump, ".name", reference.val.name);
}

static void asset(tg_writer *dump, const tg_asset *asset) {
  if (!asset) {
    tg_write(dump, "asset=-\n");
    return;
  }
  optional(dump, "asset.id", asset->id);
  optional(dump, "asset.name", asset->name);
  reference(dump, "asset.asset-type", asset->asset_type);
  reference(dump, "asset.location", asset->location);
  reference(dump, "asset.loanee", asset->loanee);
  optional(dump, "asset.created-at", asset->created_at);
  optional(dump, "asset.updated-at", asset->updated_at);
  optional(dump, "asset.field-values", asset->field_values);
}

static void names(tg_writer *dump, const char *name, tg_name_values list) {
  for (size_t at = 0; at < list.len; at += 1) {
    start(dump, name);
    tg_write_text(dump, list.ptr[at].name);
    tg_write(dump, "=");
    tg_write_text(dump, list.ptr[at].value);
    tg_write(dump, "\n");
  }
}

static tg_text dump(const tg_event *event) {
  tg_writer dump = {0};
  text(&dump, "receipt", event->receipt);
  text(&dump, "source", event->source);
  text(&dump, "kind", event->kind);
  text(&dump, "subject", event->subject);
  number(&dump, "received-at-ms", event->received_at_ms);
  start(&dump, "occurred-at-ms");
  tg_write(&dump, event->occurred_at_ms.is_some ? "+" : "-");
  if (event->occurred_at_ms.is_some) tg_write_number(&dump, event->occurred_at_ms.val);
  tg_write(&dump, "\n");
  arrival(&dump, event);
  number(&dump, "attempt", event->attempt);
  optional(&dump, "content-type", event->content_type);
  start(&dump, "body");
  hex(&dump, event->body);
  tg_write(&dump, "\n");
  asset(&dump, tg_asset_of(event));
  optional(&dump, "previous", event->previous);
  for (size_t at = 0; at < event->changed.len; at += 1) text(&dump, "changed", event->changed.ptr[at]);
  start(&dump, "memory");
  tg_write(&dump, event->memory.is_some ? "+" : "-");
  if (event->memory.is_some) hex(&dump, event->memory.val);
  tg_write(&dump, "\n");
  names(&dump, "setting", event->settings);
  names(&dump, "attribute", event->attributes);
  return dump.text;
}

static void decide(const tg_event *event, tg_answer *answer) {
  tg_writer url = {0};
  tg_write(&url, "https://a.example/");
  tg_write_text(&url, event->subject);
  tg_bytes memory = event->memory.is_some ? event->memory.val : (tg_bytes){0};
  tg_add_other(answer, tg("mirror"), tg_as_bytes(dump(event)));
  tg_add_http(answer, (tg_http){
                          .method = tg("PUT"),
                          .url = url.text,
                          .headers = event->settings,
                          .body = {event->body.len > 0, event->body},
                          .timeout_ms = {event->attempt != 1, event->attempt},
                          .reply_tag = event->content_type,
                      });
  tg_add_emit(answer, (tg_emit){tg("mirror.emitted"), event->subject, event->content_type, event->body});
  uint64_t after_ms = event->occurred_at_ms.is_some ? event->occurred_at_ms.val : 0;
  tg_add_wake(answer, (tg_wake){after_ms, event->receipt, memory});
  if (event->memory.is_some) {
    tg_remember(answer, memory);
  } else {
    tg_forget(answer);
  }
  tg_note(answer, event->kind);
}

void handle(const tg_event *event, tg_answer *answer) {
  if (tg_is(event->kind, "refuse.skip")) {
    tg_skip(answer);
  } else if (tg_is(event->kind, "refuse.retry")) {
    tg_retry_after_ms(answer, event->received_at_ms);
  } else if (tg_is(event->kind, "refuse.park")) {
    tg_park(answer, event->subject);
  } else if (tg_is(event->kind, "refuse.other")) {
    tg_refuse(answer, event->subject);
  } else {
    decide(event, answer);
  }
}
