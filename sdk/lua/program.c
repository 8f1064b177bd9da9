// The program around a plugin in Lua: it starts Lua, shows it the event, and takes its answer. Knows nothing of what a
// plugin does, and checks nothing: `bridge.lua` hands over tables of which every field is as it should be.

#include "plugin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"

#define OF(name) exports_tidegate_plugin_handler_##name##_t
#define CASE(name) EXPORTS_TIDEGATE_PLUGIN_HANDLER_##name

typedef OF(list_decision) decisions_t;
typedef OF(refusal) refusal_t;

// A file of Lua, compiled.
typedef struct {
  const char *name;
  const unsigned char *code;
  size_t len;
} module_t;

// `modules`, the last without a name, and `plugin`, the name of the one that has `handle`.
#include "modules.h"

// Where the answer goes while Lua is at work.
typedef struct {
  OF(event) * event;
  decisions_t *decisions;
  refusal_t *refusal;
  bool is_refused;
} call_t;

// --- From the event to a table, which is on the stack's top ---

static void put_text(lua_State *L, const char *field, plugin_string_t text) {
  lua_pushlstring(L, (const char *)text.ptr, text.len);
  lua_setfield(L, -2, field);
}

static void put_optional_text(lua_State *L, const char *field, plugin_option_string_t text) {
  if (text.is_some) put_text(L, field, text.val);
}

static void put_bytes(lua_State *L, const char *field, plugin_list_u8_t bytes) {
  put_text(L, field, (plugin_string_t){bytes.ptr, bytes.len});
}

static void put_number(lua_State *L, const char *field, uint64_t number) {
  lua_pushinteger(L, (lua_Integer)number);
  lua_setfield(L, -2, field);
}

static void put_reference(lua_State *L, const char *field, OF(option_reference) reference) {
  if (!reference.is_some) return;
  lua_createtable(L, 0, 2);
  put_optional_text(L, "id", reference.val.id);
  put_optional_text(L, "name", reference.val.name);
  lua_setfield(L, -2, field);
}

static void put_asset(lua_State *L, const OF(asset) * asset) {
  lua_createtable(L, 0, 8);
  put_optional_text(L, "id", asset->id);
  put_optional_text(L, "name", asset->name);
  put_reference(L, "asset_type", asset->asset_type);
  put_reference(L, "location", asset->location);
  put_reference(L, "loanee", asset->loanee);
  put_optional_text(L, "created_at", asset->created_at);
  put_optional_text(L, "updated_at", asset->updated_at);
  put_optional_text(L, "field_values", asset->field_values);
  lua_setfield(L, -2, "asset");
}

static void put_arrival(lua_State *L, OF(arrival) arrival) {
  static const char *const cases[] = {
      [CASE(ARRIVAL_FIRST)] = "first",       [CASE(ARRIVAL_DUPLICATE)] = "duplicate",
      [CASE(ARRIVAL_STALE)] = "stale",       [CASE(ARRIVAL_CONFLICT)] = "conflict",
      [CASE(ARRIVAL_AFTER_DELETE)] = "after-delete", [CASE(ARRIVAL_OTHER)] = "other",
  };
  lua_createtable(L, 0, 2);
  lua_pushstring(L, cases[arrival.tag]);
  lua_setfield(L, -2, "case");
  if (arrival.tag == CASE(ARRIVAL_OTHER)) put_text(L, "other", arrival.val.other);
  lua_setfield(L, -2, "arrival");
}

static void put_pairs(lua_State *L, const char *field, OF(list_name_value) pairs) {
  lua_createtable(L, (int)pairs.len, 0);
  for (size_t at = 0; at < pairs.len; at += 1) {
    lua_createtable(L, 0, 2);
    put_text(L, "name", pairs.ptr[at].name);
    put_text(L, "value", pairs.ptr[at].value);
    lua_rawseti(L, -2, (lua_Integer)at + 1);
  }
  lua_setfield(L, -2, field);
}

static void push_event(lua_State *L, const OF(event) * event) {
  lua_createtable(L, 0, 16);
  put_text(L, "receipt", event->receipt);
  put_text(L, "source", event->source);
  put_text(L, "kind", event->kind);
  put_text(L, "subject", event->subject);
  put_number(L, "received_at_ms", event->received_at_ms);
  if (event->occurred_at_ms.is_some) put_number(L, "occurred_at_ms", event->occurred_at_ms.val);
  put_arrival(L, event->arrival);
  put_number(L, "attempt", event->attempt);
  put_optional_text(L, "content_type", event->content_type);
  put_bytes(L, "body", event->body);
  if (event->asset.is_some) put_asset(L, &event->asset.val);
  put_optional_text(L, "previous", event->previous);
  lua_createtable(L, (int)event->changed.len, 0);
  for (size_t at = 0; at < event->changed.len; at += 1) {
    lua_pushlstring(L, (const char *)event->changed.ptr[at].ptr, event->changed.ptr[at].len);
    lua_rawseti(L, -2, (lua_Integer)at + 1);
  }
  lua_setfield(L, -2, "changed");
  if (event->memory.is_some) put_bytes(L, "memory", event->memory.val);
  put_pairs(L, "settings", event->settings);
  put_pairs(L, "attributes", event->attributes);
}

// --- From the table on the stack's top to the answer. It is copied: the bindings free it after the call ---

static plugin_string_t text_at(lua_State *L, int index) {
  size_t len;
  const char *from = lua_tolstring(L, index, &len);
  if (!from || len == 0) return (plugin_string_t){0};
  uint8_t *copy = malloc(len);
  if (!copy) abort();
  memcpy(copy, from, len);
  return (plugin_string_t){copy, len};
}

static plugin_string_t take_text(lua_State *L, const char *field) {
  lua_getfield(L, -1, field);
  plugin_string_t text = text_at(L, -1);
  lua_pop(L, 1);
  return text;
}

static plugin_list_u8_t take_bytes(lua_State *L, const char *field) {
  plugin_string_t text = take_text(L, field);
  return (plugin_list_u8_t){text.ptr, text.len};
}

static bool has(lua_State *L, const char *field) {
  bool has = lua_getfield(L, -1, field) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

static plugin_option_string_t take_optional_text(lua_State *L, const char *field) {
  return (plugin_option_string_t){has(L, field), take_text(L, field)};
}

static plugin_option_list_u8_t take_optional_bytes(lua_State *L, const char *field) {
  return (plugin_option_list_u8_t){has(L, field), take_bytes(L, field)};
}

static uint64_t take_number(lua_State *L, const char *field) {
  lua_getfield(L, -1, field);
  uint64_t number = (uint64_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return number;
}

// Room for a list; one of nothing is nowhere.
static void *room(size_t count, size_t bytes) {
  if (count == 0) return NULL;
  void *memory = calloc(count, bytes);
  if (!memory) abort();
  return memory;
}

static OF(list_name_value) take_headers(lua_State *L) {
  lua_getfield(L, -1, "headers");
  OF(list_name_value) list = {.len = lua_rawlen(L, -1)};
  list.ptr = room(list.len, sizeof *list.ptr);
  for (size_t at = 0; at < list.len; at += 1) {
    lua_rawgeti(L, -1, (lua_Integer)at + 1);
    list.ptr[at].name = take_text(L, "name");
    list.ptr[at].value = take_text(L, "value");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return list;
}

static OF(http) take_http(lua_State *L) {
  return (OF(http)){
      .method = take_text(L, "method"),
      .url = take_text(L, "url"),
      .headers = take_headers(L),
      .body = take_optional_bytes(L, "body"),
      .timeout_ms = {has(L, "timeout_ms"), (uint32_t)take_number(L, "timeout_ms")},
      .reply_tag = take_optional_text(L, "reply_tag"),
  };
}

static OF(decision) take_decision(lua_State *L) {
  OF(decision) decision = {.tag = (uint8_t)take_number(L, "tag")};
  switch (decision.tag) {
    case CASE(DECISION_HTTP):
      decision.val.http = take_http(L);
      break;
    case CASE(DECISION_EMIT):
      decision.val.emit.kind = take_text(L, "kind");
      decision.val.emit.subject = take_text(L, "subject");
      decision.val.emit.content_type = take_optional_text(L, "content_type");
      decision.val.emit.body = take_bytes(L, "body");
      break;
    case CASE(DECISION_WAKE):
      decision.val.wake.after_ms = take_number(L, "after_ms");
      decision.val.wake.tag = take_text(L, "wake_tag");
      decision.val.wake.body = take_bytes(L, "body");
      break;
    case CASE(DECISION_REMEMBER):
      decision.val.remember = take_optional_bytes(L, "memory");
      break;
    case CASE(DECISION_NOTE):
      decision.val.note = take_text(L, "text");
      break;
    default:
      decision.val.other.kind = take_text(L, "kind");
      decision.val.other.body = take_bytes(L, "body");
  }
  return decision;
}

static void take_decisions(lua_State *L, decisions_t *decisions) {
  decisions->len = lua_rawlen(L, -1);
  decisions->ptr = room(decisions->len, sizeof *decisions->ptr);
  for (size_t at = 0; at < decisions->len; at += 1) {
    lua_rawgeti(L, -1, (lua_Integer)at + 1);
    decisions->ptr[at] = take_decision(L);
    lua_pop(L, 1);
  }
}

static void take_refusal(lua_State *L, refusal_t *refusal) {
  refusal->tag = (uint8_t)take_number(L, "tag");
  if (refusal->tag == CASE(REFUSAL_RETRY_AFTER_MS)) {
    refusal->val.retry_after_ms = take_number(L, "after_ms");
  } else if (refusal->tag == CASE(REFUSAL_PARK)) {
    refusal->val.park = take_text(L, "reason");
  } else if (refusal->tag == CASE(REFUSAL_OTHER)) {
    refusal->val.other = take_text(L, "reason");
  }
}

// --- Lua ---

// `require`: the plugin's own files and the SDK's, each run once.
static int require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, name) != LUA_TNIL) return 1;
  lua_pop(L, 1);
  for (const module_t *module = modules; module->name; module += 1) {
    if (strcmp(module->name, name) != 0) continue;
    if (luaL_loadbufferx(L, (const char *)module->code, module->len, name, "b") != LUA_OK) return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
    return 1;
  }
  return luaL_error(L, "there is no file `%s.lua`", name);
}

// What there is of Lua's library: nothing that asks for files, clocks or processes.
static void open_libraries(lua_State *L) {
  static const luaL_Reg libraries[] = {
      {LUA_GNAME, luaopen_base},        {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table},
      {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
  };
  for (size_t at = 0; at < sizeof libraries / sizeof *libraries; at += 1) {
    luaL_requiref(L, libraries[at].name, libraries[at].func, 1);
    lua_pop(L, 1);
  }
  lua_register(L, "require", require);
  static const char *const absent[] = {"dofile", "loadfile"};
  for (size_t at = 0; at < sizeof absent / sizeof *absent; at += 1) {
    lua_pushnil(L);
    lua_setglobal(L, absent[at]);
  }
}

// A mistake with the lines that led to it.
static int traceback(lua_State *L) {
  const char *words = luaL_tolstring(L, 1, NULL);
  luaL_traceback(L, L, words, 1);
  return 1;
}

// `warn` writes to the log's errors, as `print` to what is not one.
static void write_warning(void *unused, const char *words, int is_continued) {
  fprintf(stderr, is_continued ? "%s" : "%s\n", words);
}

// Raises what `bridge.lua` says went wrong.
static int run(lua_State *L) {
  call_t *call = lua_touserdata(L, 1);
  if (lua_getglobal(L, "require") == LUA_TNIL) {
    open_libraries(L);
    lua_setwarnf(L, write_warning, NULL);
    lua_getglobal(L, "require");
  }
  lua_pushliteral(L, "bridge");
  lua_call(L, 1, 1);
  push_event(L, call->event);
  lua_pushstring(L, plugin);
  lua_pushcfunction(L, traceback);
  lua_call(L, 3, 2);
  if (lua_isnil(L, -2)) return lua_error(L);
  call->is_refused = lua_toboolean(L, -2);
  if (call->is_refused) {
    take_refusal(L, call->refusal);
  } else {
    take_decisions(L, call->decisions);
  }
  return 0;
}

// True: `decisions` holds them. False: `refusal` says why not.
bool exports_tidegate_plugin_handler_handle(OF(event) * event, decisions_t *decisions, refusal_t *refusal) {
  // A host asks each event in an instance of its own; in one that is asked again, Lua is there.
  static lua_State *L;
  if (!L) L = luaL_newstate();
  if (!L) abort();
  call_t call = {event, decisions, refusal, false};
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &call);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK) fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  // What was printed is in stdio's hands.
  fflush(NULL);
  if (status != LUA_OK) __builtin_trap();
  return !call.is_refused;
}
