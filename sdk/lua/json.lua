-- JSON: text of values, and values of text. Knows nothing of Tidegate.

local json = {}

-- Marks: what a table alone does not say.
local Array, Object = {}, {}

json.null = setmetatable({}, { __tostring = function() return "null" end })

function json.array(list) return setmetatable(list, Array) end

function json.object(alternating) return setmetatable(alternating, Object) end

-- Writing. Escaped is what must be, in the shortest way.

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

local function quoted(text)
  if not utf8.len(text) then error("JSON is of text, and this is not UTF-8", 0) end
  return '"' .. text:gsub('[%c"\\]', function(character)
    -- DEL is a control character for Lua, and none for JSON.
    if character ~= "\127" then return escape(character) end
  end) .. '"'
end

-- The shortest digits that give the same number back.
local function digits(number)
  if math.type(number) == "integer" then return ("%d"):format(number) end
  if number ~= number or number == math.huge or number == -math.huge then
    error("JSON has no " .. tostring(number), 0)
  end
  for precision = 15, 17 do
    local text = ("%." .. precision .. "g"):format(number)
    if tonumber(text) == number then return text end
  end
end

local write

local function write_list(list, out, depth)
  for at = 1, #list do
    out[#out + 1] = at == 1 and "[" or ","
    write(list[at], out, depth)
  end
  out[#out + 1] = #list == 0 and "[]" or "]"
end

local function write_field(name, value, out, depth)
  if type(name) ~= "string" then error("a field's name in JSON is text, not a " .. type(name), 0) end
  out[#out + 1] = quoted(name) .. ":"
  write(value, out, depth)
end

local function write_object(alternating, out, depth)
  out[#out + 1] = "{"
  for at = 1, #alternating, 2 do
    if at > 1 then out[#out + 1] = "," end
    write_field(alternating[at], alternating[at + 1], out, depth)
  end
  out[#out + 1] = "}"
end

local function by_name(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  local alternating = {}
  for _, name in ipairs(names) do
    table.move({ name, fields[name] }, 1, 2, #alternating + 1, alternating)
  end
  return alternating
end

local DEPTH_MAX = 100

function write(value, out, depth)
  local kind = type(value)
  if value == nil or value == json.null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    out[#out + 1] = quoted(value)
  elseif kind == "number" then
    out[#out + 1] = digits(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind ~= "table" then
    error("JSON has no " .. kind, 0)
  elseif depth > DEPTH_MAX then
    error("this is too deep for JSON, or within itself", 0)
  elseif getmetatable(value) == Object then
    write_object(value, out, depth + 1)
  elseif getmetatable(value) == Array or #value > 0 then
    write_list(value, out, depth + 1)
  else
    write_object(by_name(value), out, depth + 1)
  end
end

function json.encode(value)
  local out = {}
  write(value, out, 1)
  return table.concat(out)
end

-- Reading. `at` is where in the text it is.

local function fail(text, at)
  error(at > #text and "the JSON text ends too soon" or ("this is no JSON, from byte %d on"):format(at), 0)
end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

-- The character of a `\u`, with its other half where it is one of a pair, and where it ends.
local function unescape_code(text, at)
  local digits = text:match("^%x%x%x%x", at)
  if not digits then fail(text, at) end
  local code, ends = tonumber(digits, 16), at + 4
  local low = code >= 0xd800 and code < 0xdc00 and text:match("^\\u([dD][c-fC-F]%x%x)", ends)
  if low then
    return utf8.char(0x10000 + ((code - 0xd800) << 10) + (tonumber(low, 16) - 0xdc00)), ends + 6
  end
  -- Half a pair is no character.
  if code >= 0xd800 and code < 0xe000 then code = 0xfffd end
  return utf8.char(code), ends
end

local function read_text(text, at)
  local parts = {}
  while true do
    local stop = text:find('[%z\1-\31"\\]', at)
    if not stop then fail(text, #text + 1) end
    parts[#parts + 1] = text:sub(at, stop - 1)
    local character = text:sub(stop, stop)
    if character == '"' then return table.concat(parts), stop + 1 end
    if character ~= "\\" then fail(text, stop) end
    local letter = text:sub(stop + 1, stop + 1)
    if letter == "u" then
      parts[#parts + 1], at = unescape_code(text, stop + 2)
    else
      parts[#parts + 1] = UNESCAPES[letter] or fail(text, stop)
      at = stop + 2
    end
  end
end

local function read_number(text, at)
  local stop = text:find("[^-+.%deE]", at) or #text + 1
  local digits = text:sub(at, stop - 1)
  local whole, fraction = digits:match("^%-?(%d+)(.*)$")
  local is_one = whole and (whole == "0" or whole:sub(1, 1) ~= "0")
    and (fraction:gsub("^%.%d+", ""):gsub("^[eE][-+]?%d+", "")) == ""
  if not is_one then fail(text, at) end
  return tonumber(digits), stop
end

local read

local function read_list(text, at, depth)
  local list = json.array {}
  at = skip(text, at)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    list[#list + 1], at = read(text, at, depth)
    at = skip(text, at)
    local character = text:sub(at, at)
    if character == "]" then return list, at + 1 end
    if character ~= "," then fail(text, at) end
    at = at + 1
  end
end

local function read_object(text, at, depth)
  local fields = {}
  at = skip(text, at)
  if text:sub(at, at) == "}" then return fields, at + 1 end
  while true do
    at = skip(text, at)
    if text:sub(at, at) ~= '"' then fail(text, at) end
    local name
    name, at = read_text(text, at + 1)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(text, at) end
    fields[name], at = read(text, at + 1, depth)
    at = skip(text, at)
    local character = text:sub(at, at)
    if character == "}" then return fields, at + 1 end
    if character ~= "," then fail(text, at) end
    at = at + 1
  end
end

local LITERALS = { ["true"] = true, ["false"] = false, null = json.null }

function read(text, at, depth)
  at = skip(text, at)
  if depth > DEPTH_MAX then error("this JSON is too deep", 0) end
  local character = text:sub(at, at)
  if character == '"' then return read_text(text, at + 1) end
  if character == "[" then return read_list(text, at + 1, depth + 1) end
  if character == "{" then return read_object(text, at + 1, depth + 1) end
  local literal = text:match("^%l+", at)
  if literal and LITERALS[literal] ~= nil then return LITERALS[literal], at + #literal end
  return read_number(text, at)
end

function json.decode(text)
  local value, at = read(text, 1, 1)
  at = skip(text, at)
  if at <= #text then fail(text, at) end
  return value
end

return json
