-- A plugin that does what it should not, as an ordinary Lua program would do it: the event's kind says what.

local tidegate = require "tidegate"

-- What an earlier call left here would be found by a later one.
local seen = {}

local function recurse(depth) return recurse(depth + 1) + 1 end

local function raise_deep_inside() error("nobody handles this") end

local attacks = {}

attacks["spin"] = function() while true do end end

-- Each error is an exception, and each is caught.
attacks["raise-for-ever"] = function()
  while true do pcall(error, {}) end
end

attacks["keep-every-error"] = function()
  local kept = {}
  while true do kept[#kept + 1] = select(2, pcall(raise_deep_inside)) .. #kept end
end

attacks["allocate"] = function()
  local kept = {}
  while true do kept[#kept + 1] = ("x"):rep(1 << 20) .. #kept end
end

attacks["allocate-and-get-on"] = function()
  local is_ok, why = pcall(attacks.allocate)
  return tidegate.refuse(tostring(is_ok) .. ": " .. why)
end

attacks["recurse"] = function() return recurse(0) end

attacks["recurse-and-get-on"] = function()
  local _, why = pcall(recurse, 0)
  return tidegate.refuse(why:match("stack overflow"))
end

attacks["flood-result"] = function() return { tidegate.note(("x"):rep(8 << 20)) } end

attacks["raise"] = raise_deep_inside

attacks["answer-nonsense"] = function() return "not a list of decisions" end

attacks["answer-a-number"] = function() return { tidegate.post(675) } end

function handle(event)
  if #seen > 0 then return tidegate.refuse("found " .. seen[1]) end
  seen[1] = event.kind
  local attack = attacks[event.kind]
  return attack and attack() or {}
end
