-- Tables and numbers in Markdown.
local markdown = {}

--- A line of a table.
function markdown.row(cells)
  return "| " .. table.concat(cells, " | ") .. " |"
end

--- Its first two lines.
function markdown.header(cells)
  local rules = {}
  for i = 1, #cells do rules[i] = "---" end
  return markdown.row(cells) .. "\n|" .. table.concat(rules, "|") .. "|"
end

--- A number as short as it may be.
function markdown.number(value)
  if value >= 100 then return ("%.0f"):format(value) end
  return ("%.2f"):format(value)
end

--- A whole number with its digits in groups.
function markdown.thousands(value)
  local digits = ("%.0f"):format(value):reverse():gsub("%d%d%d", "%0,")
  return (digits:reverse():gsub("^,", ""))
end

return markdown
