--- Write a Tidegate plugin in Lua: one function, an event in, decisions out.
---
---     local tidegate = require "tidegate"
---
---     function handle(event)
---       if event.kind ~= "door.opened" then return {} end
---       return { tidegate.post("https://example.com/door", { json = { door = event.subject } }) }
---     end
---
--- Decisions are wishes: the host checks them against what the operator granted. Instead of decisions `handle` returns a
--- refusal, or raises it: `error(tidegate.park("why"))`. Any other error is a fault: nothing is done, and its text with
--- file and line is in the plugin's log, as is whatever is printed.

local json = require "json"

local tidegate = {
  --- A list in JSON even when it is empty: `tidegate.array {}`.
  array = json.array,
  --- An object in JSON whose fields stay in this order: `tidegate.object { "text", text, "asset", id }`. The fields of
  --- any other table are in the order of their names.
  object = json.object,
  --- `null` in JSON, where a table cannot hold nil.
  null = json.null,
  --- The JSON text of a value: as short as JSON allows.
  encode = json.encode,
  --- The value of a JSON text. An error says where it is none.
  decode = json.decode,
}

-- What a plugin is told.

---@class tidegate.Reference A thing the asset points at.
---@field id string|nil
---@field name string|nil

---@class tidegate.NameValue
---@field name string
---@field value string

---@class tidegate.Asset A typed view of the body of an asset event. Every field may be nil: the sender promises none.
---@field id string|nil
---@field name string|nil
---@field asset_type tidegate.Reference|nil
---@field location tidegate.Reference|nil
---@field loanee tidegate.Reference|nil
---@field created_at string|nil
---@field updated_at string|nil
---@field field_values string|nil JSON text.
local Asset = {}
Asset.__index = Asset
tidegate.Asset = Asset

---@class tidegate.Event What each field means, and its absence, is said in wit/plugin.wit.
---@field receipt string
---@field source string
---@field kind string
---@field subject string
---@field received_at_ms integer
---@field occurred_at_ms integer|nil
---@field arrival { case: string, other: string|nil } `first`, `duplicate`, `stale`, `conflict`, `after-delete` or `other`.
---@field attempt integer
---@field content_type string|nil
---@field body string Any bytes.
---@field asset tidegate.Asset|nil
---@field previous string|nil
---@field changed string[]
---@field memory string|nil Any bytes.
---@field settings tidegate.NameValue[]
---@field attributes tidegate.NameValue[]
local Event = {}
Event.__index = Event
tidegate.Event = Event

local function given(text)
  if text ~= "" then return text end
end

local function find(pairs, name)
  for _, pair in ipairs(pairs) do
    if pair.name == name then return given(pair.value) end
  end
end

--- A setting of this plugin's deployment; nil when it is not there or empty.
function Event:setting(name)
  return find(self.settings, name)
end

--- Something more that the host has to say; nil when it is not there or empty.
function Event:attribute(name)
  return find(self.attributes, name)
end

--- The body, parsed. An error when it is no JSON.
function Event:json()
  return json.decode(self.body)
end

--- `Spare-02 (2 in 3 Laptop)`, as far as the sender said; `An asset` when it did not.
function Asset:title()
  local name = given(self.name) or "An asset"
  local kind = self.asset_type and given(self.asset_type.name)
  return kind and name .. " (" .. kind .. ")" or name
end

--- Who has it on loan: their name, or `person 142` when there is an id alone; nil when nobody has.
function Asset:loanee_name()
  local loanee = self.loanee
  if not loanee then return nil end
  local id = given(loanee.id)
  return given(loanee.name) or id and "person " .. id
end

--- The value of the custom field of this name; nil when there is none.
function Asset:field(name)
  local fields = json.decode(self.field_values or "[]")
  for _, field in ipairs(type(fields) == "table" and fields or {}) do
    if type(field) == "table" and field.name == name then return field.value end
  end
end

-- What a plugin wants done. Each is a table that says in `decision` which it is.

--- Asks the host to make an HTTP request. Of the options, `json` is sent as JSON with its content type, and `body` as it
--- is; `headers` are by name, or a list of `{ name = , value = }` where a name repeats; `timeout_ms` is the total time one
--- attempt may take; with a `reply_tag` the response comes back as an event.
---@param options { json: any, body: string|nil, headers: table|nil, timeout_ms: integer|nil, reply_tag: string|nil }|nil
function tidegate.http(method, url, options)
  options = options or {}
  return {
    decision = "http",
    method = method,
    url = url,
    headers = options.headers,
    json = options.json,
    body = options.body,
    timeout_ms = options.timeout_ms,
    reply_tag = options.reply_tag,
  }
end

--- As `http`; so are `post`, `put`, `patch` and `delete`.
function tidegate.get(url, options) return tidegate.http("GET", url, options) end
function tidegate.post(url, options) return tidegate.http("POST", url, options) end
function tidegate.put(url, options) return tidegate.http("PUT", url, options) end
function tidegate.patch(url, options) return tidegate.http("PATCH", url, options) end
function tidegate.delete(url, options) return tidegate.http("DELETE", url, options) end

--- A new event for other plugins.
---@param options { json: any, body: string|nil, subject: string|nil, content_type: string|nil }|nil
function tidegate.emit(kind, options)
  options = options or {}
  return {
    decision = "emit",
    kind = kind,
    subject = options.subject,
    content_type = options.content_type,
    json = options.json,
    body = options.body,
  }
end

--- Asks to be told again later: an event of kind `tidegate.wake` about the same subject, for this plugin alone.
function tidegate.wake(after_ms, tag, body)
  return { decision = "wake", after_ms = after_ms, wake_tag = tag, body = body }
end

--- Replaces this plugin's memory of the subject.
function tidegate.remember(memory) return { decision = "remember", memory = memory } end

--- Forgets what this plugin remembered of the subject.
function tidegate.forget() return { decision = "remember" } end

--- A line on the event's timeline, for people.
function tidegate.note(text) return { decision = "note", text = text } end

--- A decision of a kind that a later host knows.
function tidegate.other(kind, body) return { decision = "other", kind = kind, body = body } end

-- The plugin's own "no", returned or raised. Nothing is done then.

--- This event is none of this plugin's business.
function tidegate.skip() return { refusal = "skip" } end

--- Ask again after this many milliseconds.
function tidegate.retry(after_ms) return { refusal = "retry", after_ms = after_ms } end

--- Out of the way, kept whole, for this reason, until a person looks.
function tidegate.park(reason) return { refusal = "park", reason = reason } end

--- A refusal that a later contract names; treated as `park`.
function tidegate.refuse(reason) return { refusal = "other", reason = reason } end

return tidegate
