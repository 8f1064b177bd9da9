-- Answers with everything it was told, so that a test sees that Lua reads every field and gives every case.

local tidegate = require "tidegate"

local REFUSALS = {
  ["refuse.skip"] = tidegate.skip,
  ["refuse.retry"] = function(event) return tidegate.retry(event.received_at_ms) end,
  ["refuse.park"] = function(event) return tidegate.park(event.subject) end,
  -- What is raised is refused as well.
  ["refuse.other"] = function(event) error(tidegate.refuse(event.subject)) end,
}

local function given(bytes)
  if bytes ~= "" then return bytes end
end

local function hex(bytes)
  return bytes and bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
end

local function line(name, value) return name .. "=" .. value .. "\n" end

local function optional(name, value) return line(name, value and "+" .. value or "-") end

local function reference(name, of)
  if not of then return line(name, "-") end
  return optional(name .. ".id", of.id) .. optional(name .. ".name", of.name)
end

local function asset(of)
  if not of then return line("asset", "-") end
  return optional("asset.id", of.id)
    .. optional("asset.name", of.name)
    .. reference("asset.asset-type", of.asset_type)
    .. reference("asset.location", of.location)
    .. reference("asset.loanee", of.loanee)
    .. optional("asset.created-at", of.created_at)
    .. optional("asset.updated-at", of.updated_at)
    .. optional("asset.field-values", of.field_values)
end

local function dump(event)
  local arrival = event.arrival
  local all = {
    line("receipt", event.receipt),
    line("source", event.source),
    line("kind", event.kind),
    line("subject", event.subject),
    line("received-at-ms", event.received_at_ms),
    optional("occurred-at-ms", event.occurred_at_ms),
    line("arrival", arrival.case == "other" and "other:" .. arrival.other or arrival.case),
    line("attempt", event.attempt),
    optional("content-type", event.content_type),
    line("body", (hex(event.body))),
    asset(event.asset),
    optional("previous", event.previous),
  }
  for _, pointer in ipairs(event.changed) do all[#all + 1] = line("changed", pointer) end
  all[#all + 1] = optional("memory", (hex(event.memory)))
  for _, one in ipairs(event.settings) do all[#all + 1] = line("setting", one.name .. "=" .. one.value) end
  for _, one in ipairs(event.attributes) do all[#all + 1] = line("attribute", one.name .. "=" .. one.value) end
  return table.concat(all)
end

function handle(event)
  local refuse = REFUSALS[event.kind]
  if refuse then return refuse(event) end
  return {
    tidegate.other("mirror", dump(event)),
    tidegate.put("https://a.example/" .. event.subject, {
      headers = event.settings,
      body = given(event.body),
      timeout_ms = event.attempt ~= 1 and event.attempt or nil,
      reply_tag = event.content_type,
    }),
    tidegate.emit("mirror.emitted", {
      subject = event.subject,
      content_type = event.content_type,
      body = event.body,
    }),
    tidegate.wake(event.occurred_at_ms or 0, event.receipt, event.memory),
    event.memory and tidegate.remember(event.memory) or tidegate.forget(),
    tidegate.note(event.kind),
  }
end
