-- Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short notice to the
-- URL in its settings. Knows nothing of HTTP: the host makes the request.

local tidegate = require "tidegate"

-- An event in, a list of decisions out, or a refusal.
function handle(event)
  local asset = event.asset
  local loanee = event.kind == "asset.update" and asset and asset:loanee_name()
  if not loanee then return {} end
  local url = event:setting("notice_url")
  if not url then return tidegate.park("the setting `notice_url` is missing: say where notices go") end
  -- The fields of an object stay in this order; those of a plain table have none.
  local notice = tidegate.object {
    "text", asset:title() .. " is on loan to " .. loanee,
    "asset", asset.id or event.subject,
    "receipt", event.receipt,
  }
  return { tidegate.post(url, { json = notice }) }
end
