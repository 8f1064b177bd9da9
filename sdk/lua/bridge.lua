-- Between `program.c` and a plugin: gives the event its methods, and the answer the shape that C reads. A plugin's author
-- does not see it. What is wrong with an answer is said here, in the author's words.

local json = require "json"
local tidegate = require "tidegate"

-- In the order of the contract, which C counts in.
local DECISIONS = { http = 0, emit = 1, wake = 2, remember = 3, note = 4, other = 5 }
local REFUSALS = { skip = 0, retry = 1, park = 2, other = 3 }

local U32_MAX = 0xffffffff

-- Checks a field in place; what is absent gets its default, or is a mistake where there is none.
local function text(of, where, field, default)
  local value = of[field]
  if value == nil then value = default end
  if type(value) ~= "string" then
    error(("%s: `%s` is %s, not text"):format(where, field, value == nil and "missing" or "a " .. type(value)), 0)
  end
  of[field] = value
end

local function optional(of, where, field)
  if of[field] ~= nil then text(of, where, field) end
end

-- A text of the contract is UTF-8; bytes are whatever they are.
local function utf8_text(of, where, field, default)
  text(of, where, field, default)
  if not utf8.len(of[field]) then error(("%s: `%s` is not UTF-8"):format(where, field), 0) end
end

local function optional_utf8(of, where, field)
  if of[field] ~= nil then utf8_text(of, where, field) end
end

local function number(of, where, field, most)
  local value = math.tointeger(of[field])
  if not value or value < 0 then
    error(("%s: `%s` is %s, not a whole number from 0"):format(where, field, tostring(of[field])), 0)
  end
  of[field] = most and math.min(value, most) or value
end

-- The content type that JSON brings; nil when the body is no JSON.
local function body(of)
  if of.json == nil then return nil end
  of.body = json.encode(of.json)
  return "application/json"
end

-- Headers as a list. Those by name have no order of their own, so it is that of their names.
local function headers(of)
  local from, list = of.headers or {}, {}
  if #from > 0 then
    table.move(from, 1, #from, 1, list)
  else
    for name, value in pairs(from) do list[#list + 1] = { name = name, value = value } end
    table.sort(list, function(a, b) return a.name < b.name end)
  end
  return list
end

local function has_content_type(list)
  for _, header in ipairs(list) do
    if tostring(header.name):lower() == "content-type" then return true end
  end
  return false
end

local check = {}

function check.http(of, where)
  utf8_text(of, where, "method")
  utf8_text(of, where, "url")
  of.headers = headers(of)
  local content_type = body(of)
  if content_type and not has_content_type(of.headers) then
    table.insert(of.headers, 1, { name = "content-type", value = content_type })
  end
  for at, header in ipairs(of.headers) do
    local place = ("%s: header %d"):format(where, at)
    utf8_text(header, place, "name")
    utf8_text(header, place, "value")
  end
  optional(of, where, "body")
  if of.timeout_ms ~= nil then number(of, where, "timeout_ms", U32_MAX) end
  optional_utf8(of, where, "reply_tag")
end

function check.emit(of, where)
  utf8_text(of, where, "kind")
  utf8_text(of, where, "subject", "")
  of.content_type = body(of) and of.content_type == nil and "application/json" or of.content_type
  optional_utf8(of, where, "content_type")
  text(of, where, "body", "")
end

function check.wake(of, where)
  number(of, where, "after_ms")
  utf8_text(of, where, "wake_tag", "")
  text(of, where, "body", "")
end

function check.remember(of, where) optional(of, where, "memory") end

function check.note(of, where) utf8_text(of, where, "text") end

function check.other(of, where)
  utf8_text(of, where, "kind")
  text(of, where, "body", "")
end

local function decisions(list)
  for at, decision in ipairs(list) do
    local where = "decision " .. at
    local kind = type(decision) == "table" and decision.decision
    if not DECISIONS[kind] then error(where .. " is none: make it with `tidegate.post` and the like", 0) end
    check[kind](decision, where)
    decision.tag = DECISIONS[kind]
  end
  return list
end

local function refusal(of)
  if of.refusal == "retry" then number(of, "retry", "after_ms") end
  if of.refusal == "park" or of.refusal == "other" then utf8_text(of, of.refusal, "reason") end
  of.tag = REFUSALS[of.refusal]
  return of
end

local function is_refusal(value) return type(value) == "table" and REFUSALS[value.refusal] ~= nil end

local function asked(event, plugin)
  require(plugin)
  if type(handle) ~= "function" then error(plugin .. ".lua defines no function `handle`", 0) end
  local answer = handle(event)
  if type(answer) ~= "table" then
    error("handle returned " .. (answer == nil and "nothing" or tostring(answer)) .. ", which is no list of decisions", 0)
  end
  return answer
end

local function shaped(answer)
  if is_refusal(answer) then return true, refusal(answer) end
  return false, decisions(answer)
end

-- Whether it was refused, and the answer; or nil, and what went wrong. `traceback` adds the lines that led there.
return function(event, plugin, traceback)
  setmetatable(event, tidegate.Event)
  if event.asset then setmetatable(event.asset, tidegate.Asset) end
  local function explained(why) return is_refusal(why) and why or traceback(why) end
  local is_ok, answer = xpcall(asked, explained, event, plugin)
  if not is_ok and not is_refusal(answer) then return nil, answer end
  local is_shaped, is_refused, whole = pcall(shaped, answer)
  if not is_shaped then return nil, is_refused end
  return is_refused, whole
end
