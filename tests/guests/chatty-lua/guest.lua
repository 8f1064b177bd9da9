-- A plugin that prints as Lua programs do, more than a stream takes at once.

local tidegate = require "tidegate"

function handle(event)
  print("told of " .. event.kind)
  for line = 0, 99 do print(("%099d"):format(line)) end
  warn("and that is ", "all")
  return { tidegate.note("printed") }
end
