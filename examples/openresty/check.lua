-- What the API takes of a request: everything is looked at before it is used.
local cjson = require "cjson.safe"

local COUNT_MAX = 1000000
local ID_MAX = "9223372036854775807"

local check = {}

-- Is it a text of so many characters? Of valid UTF-8, and without control characters but
-- for `allowed`.
local function is_text(value, most, allowed)
  local pattern = [[\A[^\x00-\x1f\x7f]{0,%d}\z]]
  if allowed then pattern = [[\A(?:[^\x00-\x1f\x7f]|]] .. allowed .. [[){0,%d}\z]] end
  return type(value) == "string" and ngx.re.find(value, pattern:format(most), "ujo") ~= nil
end

-- A text that may be absent, without blanks around it; null where there is none, nil where
-- it is no such text.
local function optional(value, most, allowed)
  if value == nil or value == cjson.null then return cjson.null end
  local text = type(value) == "string" and value:match "^%s*(.-)%s*$"
  if not is_text(text, most, allowed) then return nil end
  return text ~= "" and text or cjson.null
end

local function whole(value, least, most)
  local is_one = type(value) == "number" and value % 1 == 0 and value >= least and value <= most
  return is_one and value or nil
end

--- The JSON object of a body; nil where it is none, false where it is not called JSON.
-- Forms of other sites cannot call theirs so.
function check.body()
  if not (ngx.var.content_type or ""):match "^application/json%s*;?" then return false end
  ngx.req.read_body()
  local value = cjson.decode(ngx.req.get_body_data() or "")
  return type(value) == "table" and value or nil
end

local function refusal(status, message, fields)
  return nil, {
    status = status,
    code = status == 415 and "content_type" or "invalid",
    message = message,
    more = fields and { fields = fields },
  }
end

--- The item of a body.
-- @return it, with what was `given`; or nil and what is wrong
function check.item(body)
  if body == false then return refusal(415, "The body must be application/json.") end
  if not body then return refusal(400, "The body is no JSON object.") end
  local item = {
    given = body,
    name = optional(body.name, 80),
    place = optional(body.place, 80),
    count = whole(body.count, 0, COUNT_MAX),
    note = optional(body.note, 500, [[\n]]),
  }
  local wrong = {}
  if not item.name or item.name == cjson.null then wrong.name = "A name has 1 to 80 characters." end
  if not item.place then wrong.place = "A place has up to 80 characters." end
  if not item.count then wrong.count = "A count is a whole number from 0 to 1000000." end
  if not item.note then wrong.note = "A note has up to 500 characters." end
  if next(wrong) then return refusal(400, "Please look at what is marked.", wrong) end
  return item
end

--- A text to look for: "" unless there is one, nil where it is none.
function check.search(value)
  if value == nil or value == true then return "" end
  return is_text(value, 100) and value or nil
end

function check.version(value)
  return whole(value, 1, 2 ^ 53)
end

function check.request(value)
  return type(value) == "string" and value:match "^[%w-]+$" and #value >= 16 and #value <= 64
    and value or nil
end

--- Are these digits those of an id?
function check.id(digits)
  return #digits < #ID_MAX or #digits == #ID_MAX and digits <= ID_MAX
end

return check
