--- Chromium without a screen, driven by WebDriver (https://www.w3.org/TR/webdriver2/),
-- which is JSON over HTTP.
--
--    local page = browser.open(url, { width = 360, height = 740 })
--    page:click "button"
--    page:await("it is there", "return document.querySelector('#new') !== null")
--    browser.stop()
--
-- Nothing of it outlives this process. A spec has `teardown(browser.stop)` all the same.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local leashed = require "spec.support.leashed"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local scratch = require "spec.support.scratch"
local uv = require "luv"

local HOST = "127.0.0.1"
local PATIENCE = 30 -- seconds
local EMPTY = cjson.decode "{}"

local browser = {}

--- What some keys are as characters.
browser.KEYS = { -- U+E004 and so on
  tab = "\238\128\132", enter = "\238\128\135", shift = "\238\128\136", escape = "\238\128\140",
  delete = "\238\128\151",
}

local Page = {}
Page.__index = Page

-- ---- the driver ----

local driver -- the one that runs: process, address, scratch, `session` that it is asked for

local function start_driver()
  local place, port = scratch.new(), ports.free(HOST)
  local command = ("env TMPDIR=%s chromedriver --port=%d"):format(nodes.quote(place.path), port)
  driver = {
    scratch = place,
    address = ("%s:%d"):format(HOST, port),
    process = leashed.start(command, place:fresh "log"),
  }
  eventually("chromedriver listens", function()
    if not driver.process:is_running() then error(driver.process:output(), 0) end
    local conn = http.connect(driver.address)
    if conn then conn:close() end
    return conn
  end)
end

local function request_of(method, path, body)
  return {
    method = method,
    path = path,
    headers = { ["Content-Type"] = "application/json" },
    body = method == "POST" and cjson.encode(body) or nil,
    timeout = PATIENCE,
  }
end

local function value_of(answer)
  local value = cjson.decode(answer.body).value
  if answer.status ~= 200 then error(("%s: %s"):format(value.error, value.message), 0) end
  return value
end

local function command(...)
  return value_of(assert(http.request(driver.address, request_of(...))))
end

local function post(self, path, body)
  return command("POST", self.path .. path, body or EMPTY)
end

-- Of root it wants to be told to do without its sandbox. When the driver is gone, the pipe
-- ends it, too.
local ARGUMENTS = {
  "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
  "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
  "--disable-background-networking", "--hide-scrollbars",
}

local function ask_for_session()
  local arguments = { "--user-data-dir=" .. driver.scratch:fresh "profile" }
  for _, argument in ipairs(ARGUMENTS) do arguments[#arguments + 1] = argument end
  return assert(http.send(driver.address, request_of("POST", "/session", {
    capabilities = { alwaysMatch = {
      browserName = "chrome",
      ["goog:chromeOptions"] = { args = arguments },
      ["goog:loggingPrefs"] = { browser = "ALL" },
    } },
  })))
end

--- Starts a browser and does not wait for it: that takes seconds.
function browser.start()
  if not driver then start_driver() end
  driver.session = driver.session or ask_for_session()
end

--- Opens a page in a browser of its own.
-- @tparam string url
-- @tparam[opt] table opts as of Page:look
-- @treturn table the page
function browser.open(url, opts)
  browser.start()
  local asked = driver.session
  driver.session = nil
  local session = value_of(assert(asked:read(PATIENCE))).sessionId
  local self = setmetatable({ path = "/session/" .. session, size = {}, scheme = nil }, Page)
  self:look(opts or {})
  post(self, "/url", { url = url })
  return self
end

--- Ends the browsers and their driver.
function browser.stop()
  if not driver then return end
  driver.process:stop "TERM"
  driver.scratch:close()
  driver = nil
end

-- ---- a page ----

local function devtools(self, name, parameters)
  return post(self, "/goog/cdp/execute", { cmd = name, params = parameters })
end

--- Gives it another size, light or dark, without slow changes of colours.
-- @tparam table opts `width` and `height` (1280, 800), `dark`
function Page:look(opts)
  local size = { width = opts.width or 1280, height = opts.height or 800 }
  if size.width ~= self.size.width or size.height ~= self.size.height then
    self.size = size
    devtools(self, "Emulation.setDeviceMetricsOverride",
      { width = size.width, height = size.height, deviceScaleFactor = 1, mobile = false })
  end
  local scheme = opts.dark and "dark" or "light"
  if scheme == self.scheme then return end
  self.scheme = scheme
  devtools(self, "Emulation.setEmulatedMedia", { features = {
    { name = "prefers-color-scheme", value = scheme },
    { name = "prefers-reduced-motion", value = "reduce" },
  } })
end

--- Runs JavaScript: the body of a function, which gets null and what else is given.
-- @return what it returns
function Page:run(script, ...)
  return post(self, "/execute/sync", {
    script = script,
    args = { cjson.null, ... }, -- an empty table is no list to cjson
  })
end

-- In the page: to ask from here again and again would take its time.
local AWAIT = [[
  const given = [...arguments], done = given.pop(), deadline = performance.now() + 15000;
  (function look() {
    const value = (function() { %s }).apply(null, given);
    if (value || performance.now() > deadline) done(value ? true : false);
    else setTimeout(look, 5);
  })()]]

--- Waits until JavaScript, as of `run`, returns what counts as true there.
-- @tparam string what it is that should come true
-- @tparam string script
function Page:await(what, script, ...)
  local came = post(self, "/execute/async", {
    script = AWAIT:gsub("%%s", function() return script end),
    args = { cjson.null, ... },
  })
  if not came then error("it never came true: " .. what, 2) end
end

-- ---- what a user does ----

-- The middle of an element, and what is seen there.
local POINT = [[
  const at = document.querySelector(arguments[1]);
  at.scrollIntoView({ block: "center" });
  const { x, y, width, height } = at.getBoundingClientRect();
  const point = [Math.floor(x + width / 2), Math.floor(y + height / 2)];
  const seen = document.elementFromPoint(...point);
  return at.contains(seen) ? point : `it is behind ${seen?.outerHTML}`;]]

local function act(self, kind, actions)
  post(self, "/actions", { actions = { { type = kind, id = "its " .. kind, actions = actions } } })
end

--- Clicks into the middle of the first element that a selector of CSS finds, once there
-- is one.
function Page:click(selector)
  self:await("there is " .. selector, "return document.querySelector(arguments[1])", selector)
  local point = self:run(POINT, selector)
  if type(point) ~= "table" then error(selector .. ": " .. point, 2) end
  act(self, "pointer", {
    { type = "pointerMove", x = math.floor(point[1]), y = math.floor(point[2]) },
    { type = "pointerDown", button = 0 },
    { type = "pointerUp", button = 0 },
  })
end

local function press(actions, key)
  actions[#actions + 1] = { type = "keyDown", value = key }
end

local function release(actions, key)
  actions[#actions + 1] = { type = "keyUp", value = key }
end

--- Presses and releases keys, wherever the keyboard is: texts, and browser.KEYS by name.
-- A table is keys that are held together: { "shift", "tab" }.
function Page:press(...)
  local actions = {}
  for _, keys in ipairs { ... } do
    local held = type(keys) == "table" and keys or browser.KEYS[keys] and { keys }
    if held then
      for _, key in ipairs(held) do press(actions, browser.KEYS[key] or key) end
      for i = #held, 1, -1 do release(actions, browser.KEYS[held[i]] or held[i]) end
    else
      for character in keys:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
        press(actions, character)
        release(actions, character)
      end
    end
  end
  act(self, "key", actions)
end

--- Clicks into a field, and types in place of what it has.
function Page:fill(selector, text)
  self:click(selector)
  self:run("document.querySelector(arguments[1]).select()", selector)
  self:press(text == "" and "delete" or text)
end

--- What the page has complained of since it was asked last: not that an answer was an
-- error, which the page itself is to tell.
-- @treturn table list of texts
function Page:complaints()
  local list = {}
  for _, entry in ipairs(post(self, "/se/log", { type = "browser" })) do
    if entry.source ~= "network" then list[#list + 1] = entry.message end
  end
  return list
end

local function decode_base64(text)
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local values = {}
  for i = 1, #alphabet do values[alphabet:byte(i)] = i - 1 end
  return (text:gsub("(.)(.)(.)(.)", function(...)
    local n, count = 0, -1
    for _, letter in ipairs { ... } do
      n = n * 64 + (values[letter:byte()] or 0)
      if letter ~= "=" then count = count + 1 end
    end
    local bytes = math.floor(n / 65536)
    return string.char(bytes, math.floor(n / 256) % 256, n % 256):sub(1, count)
  end))
end

--- Writes what it looks like to build/screenshots.
-- @tparam string name of the file, without .png
-- @treturn string its path
function Page:screenshot(name)
  uv.fs_mkdir("build/screenshots", 493) -- 0755
  local path = ("build/screenshots/%s.png"):format(name)
  nodes.write(path, decode_base64(command("GET", self.path .. "/screenshot")))
  return path
end

return browser
