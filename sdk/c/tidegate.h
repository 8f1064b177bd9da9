// What a plugin in C is written with: short names for the contract's types, and calls that make up its answer. Knows
// nothing of any one plugin. What each field means, and what its absence means, is said in wit/v1/plugin.wit.
//
// Nothing is ever freed by a plugin: each call has an instance of its own, whose memory goes with it. Whatever is
// handed to a call of this file is copied. Where memory ends, the call does, which is a fault.

#ifndef TIDEGATE_H
#define TIDEGATE_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

// UTF-8 of any length in `ptr` and `len`, without a zero at its end, and maybe with one inside.
typedef plugin_string_t tg_text;
// Any bytes, in `ptr` and `len`.
typedef plugin_list_u8_t tg_bytes;
// What may be absent: `val` counts where `is_some`.
typedef plugin_option_string_t tg_optional_text;
typedef plugin_option_list_u8_t tg_optional_bytes;

typedef exports_tidegate_plugin_handler_event_t tg_event;
typedef exports_tidegate_plugin_handler_asset_t tg_asset;
typedef exports_tidegate_plugin_handler_reference_t tg_reference;
typedef exports_tidegate_plugin_handler_option_reference_t tg_optional_reference;
typedef exports_tidegate_plugin_handler_name_value_t tg_name_value;
typedef exports_tidegate_plugin_handler_list_name_value_t tg_name_values;
typedef exports_tidegate_plugin_handler_http_t tg_http;
typedef exports_tidegate_plugin_handler_emit_t tg_emit;
typedef exports_tidegate_plugin_handler_wake_t tg_wake;

// What `event->arrival.tag` may be; with TG_OTHER the text is in `event->arrival.val.other`.
enum {
  TG_FIRST = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_FIRST,
  TG_DUPLICATE = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_DUPLICATE,
  TG_STALE = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_STALE,
  TG_CONFLICT = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_CONFLICT,
  TG_AFTER_DELETE = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_AFTER_DELETE,
  TG_OTHER = EXPORTS_TIDEGATE_PLUGIN_HANDLER_ARRIVAL_OTHER,
};

// What a plugin answers; filled by the calls below, which may come in any number.
typedef struct tg_answer tg_answer;

// The one function that a plugin has. An answer that nothing was added to has no decisions.
void handle(const tg_event *event, tg_answer *answer);

// Decisions, in the order of the calls.

// An HTTP request; fields that are not set are absent or empty.
void tg_add_http(tg_answer *answer, tg_http request);
// A POST of JSON text.
void tg_post_json(tg_answer *answer, tg_text url, tg_text json);
// A new event for other plugins.
void tg_add_emit(tg_answer *answer, tg_emit event);
// An event of kind `tidegate.wake`, later.
void tg_add_wake(tg_answer *answer, tg_wake wake);
// Replaces this plugin's memory of the subject.
void tg_remember(tg_answer *answer, tg_bytes memory);
// Forgets what this plugin remembered of the subject.
void tg_forget(tg_answer *answer);
// A line on the event's timeline, for people.
void tg_note(tg_answer *answer, tg_text line);
// A kind of decision that the contract does not name.
void tg_add_other(tg_answer *answer, tg_text kind, tg_bytes body);

// Refusals: the last one is the answer, and no decision is.

// This event is none of this plugin's business.
void tg_skip(tg_answer *answer);
// Ask again after so many milliseconds.
void tg_retry_after_ms(tg_answer *answer, uint64_t ms);
// Out of the way, for this reason, until a person looks.
void tg_park(tg_answer *answer, tg_text reason);
// A refusal that the contract does not name.
void tg_refuse(tg_answer *answer, tg_text reason);

// What an event says.

// The asset, or NULL when the body is not a JSON object.
const tg_asset *tg_asset_of(const tg_event *event);
// The setting, or the attribute, of this name; empty when there is none.
tg_text tg_setting(const tg_event *event, const char *name);
tg_text tg_attribute(const tg_event *event, const char *name);
// The name, or the id, of what an asset points at; empty when absent.
tg_text tg_name_of(tg_optional_reference reference);
tg_text tg_id_of(tg_optional_reference reference);
// The text, or `otherwise` when it is absent.
tg_text tg_or(tg_optional_text text, tg_text otherwise);

// Text and bytes.

// Words that end in a zero, as text.
tg_text tg(const char *words);
// Whether a text is these words.
bool tg_is(tg_text text, const char *words);
// Text as bytes, and bytes as text, which must be UTF-8.
tg_bytes tg_as_bytes(tg_text text);
tg_text tg_as_text(tg_bytes bytes);
// What is not absent.
tg_optional_text tg_some_text(tg_text text);
tg_optional_bytes tg_some_bytes(tg_bytes bytes);

// Text that grows. It starts as `{0}`, and is all of a `tg_text` in `text`.
typedef struct {
  tg_text text;
  size_t room;
} tg_writer;

// Adds words that end in a zero.
void tg_write(tg_writer *writer, const char *words);
// Adds text.
void tg_write_text(tg_writer *writer, tg_text text);
// Adds text as a string of JSON, in quotes, with as few escapes as JSON allows.
void tg_write_json(tg_writer *writer, tg_text text);
// Adds a number in decimal.
void tg_write_number(tg_writer *writer, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
