--- Is a text XML whose tags match? Of XML no more than what this project writes.
local tags = {}

local function loose(text)
  return (text:gsub("&%a+;", "")):match "[<>&]"
end

--- Says what is wrong.
-- @tparam string xml
-- @treturn string|nil nothing for a text that is fine
function tags.fault(xml)
  local open, at = {}, 1
  for before, closes, name, attributes, position in xml:gmatch "([^<]*)<(/?)(%a+)([^<>]*)>()" do
    local rest = attributes:gsub('%s+[%a:]+="[^"]*"', "")
    local stray = loose(before) or (rest ~= "" and rest ~= "/" and rest)
    if stray then return ("%q before or in <%s>"):format(stray, name) end
    if closes == "/" and table.remove(open) ~= name then return name .. " closes another one" end
    if closes == "" and rest == "" then open[#open + 1] = name end
    at = position
  end
  if open[1] then return open[#open] .. " stays open" end
  if at == 1 or xml:sub(at):find "%S" then return "something stands behind the last tag" end
end

return tags
