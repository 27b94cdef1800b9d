-- The page of examples/openresty in Chromium, as `make demo-nginx` serves it.

local browser = require "spec.support.browser"
local demo = require "spec.support.demo"

local WIDE = { width = 1280, height = 800 }
local NARROW = { width = 360, height = 740 }

describe("the page of the inventory", function()
  local inventory, page

  setup(function()
    browser.start()
    inventory = demo.start()
    page = browser.open(inventory.url, WIDE)
  end)
  teardown(function()
    browser.stop()
    demo.stop_all()
  end)
  after_each(function()
    assert.same({}, page:complaints())
  end)

  local requests = 0

  -- Another user adds an item.
  local function add(fields)
    requests = requests + 1
    fields.request, fields.count = ("what-another-user-adds-%d"):format(requests), fields.count or 1
    local status, added = inventory:call("POST", "/api/items", fields)
    assert.equal(201, status)
    return added
  end

  local function find(name)
    local _, list = inventory:call("GET", "/api/items")
    for _, item in ipairs(list.items) do
      if item.name == name then return item end
    end
  end

  local function message()
    return page:run "return document.querySelector('#bar').textContent.trim()"
  end

  local function said(text)
    local ok = pcall(page.await, page, "", [[
      return document.querySelector("#said").textContent.includes(arguments[1]) ||
        document.querySelector("#alarm").textContent.includes(arguments[1])]], text)
    if not ok then error(("it says %q in place of %q"):format(message(), text), 2) end
  end

  -- Is the last message an alarm?
  local function is_alarmed()
    return page:run "return document.querySelector('#alarm').textContent !== ''"
  end

  local function await_row(name)
    page:await("there is a row of " .. name, [[
      return document.querySelector(`[aria-label="Edit ${arguments[1]}"]`)]], name)
  end

  -- What is focussed: a name of a field, an id, or a label.
  local function focus()
    return page:run [[
      const at = document.activeElement;
      return at.name || at.id || at.ariaLabel || at.textContent]]
  end

  -- Presses keys until something is focussed, which is to be seen.
  local function go_to(what, keys)
    for _ = 1, 30 do
      if focus() == what then break end
      page:press(keys or "tab")
    end
    assert.equal(what, focus())
    assert.equal("solid", page:run [[
      const at = document.activeElement;
      const { x, y, width, height } = at.getBoundingClientRect();
      const top = document.elementFromPoint(x + width / 2, y + height / 2);
      return top === at ? getComputedStyle(at).outlineStyle : `behind ${top?.outerHTML}`]])
  end

  local function fits()
    local sizes = page:run [[
      const { scrollWidth, clientWidth } = document.documentElement;
      return [scrollWidth, clientWidth];]]
    assert.equal(NARROW.width, sizes[2])
    assert.is_true(sizes[1] <= sizes[2], ("%d px wide"):format(sizes[1]))
  end

  for _, look in ipairs { WIDE, NARROW } do
    it(("adds, edits, deletes and takes back by clicks, at %d px"):format(look.width), function()
      page:look(look)
      page:fill("#add [name=name]", "Ladder")
      page:fill("#add [name=place]", "Garage")
      page:fill("#add [name=count]", "2")
      page:click "#add button"
      said "Added “Ladder”."
      local added = find "Ladder"
      assert.same({ "Garage", 2 }, { added.place, added.count })
      page:click '[aria-label="Edit Ladder"]'
      page:fill(".editor [name=name]", "Long ladder")
      page:fill(".editor [name=note]", "6 m")
      page:click ".editor [type=submit]"
      said "Saved “Long ladder”."
      assert.same({ added.id, "6 m", 2 },
        { find "Long ladder".id, find "Long ladder".note, find "Long ladder".version })
      page:click '[aria-label="Delete Long ladder"]'
      said "Deleted “Long ladder”."
      assert.is_nil(find "Long ladder")
      page:click "#action"
      said "“Long ladder” is back."
      assert.equal("6 m", find "Long ladder".note)
      page:click '[aria-label="Delete Long ladder"]'
      said "Deleted"
    end)
  end

  it("does the same by keyboard alone", function()
    page:look(NARROW)
    page:run "document.activeElement.blur()"
    go_to "name"
    page:press("Käse", "tab", "Fridge", "tab", "tab", "fresh", "enter")
    said "Added “Käse”."
    assert.same({ "Fridge", 1, "fresh" },
      { find "Käse".place, find "Käse".count, find "Käse".note })
    assert.equal("name", focus())
    go_to "Edit Käse"
    page:press "enter"
    page:press("Brie", "escape")
    assert.equal("Edit Käse", focus())
    page:press("enter", "Brie", "enter")
    said "Saved “Brie”."
    assert.equal("Edit Brie", focus())
    go_to "Delete Brie"
    page:press "enter"
    said "Deleted “Brie”."
    assert.is_nil(find "Brie")
    go_to("action", { "shift", "tab" })
    page:press "enter"
    said "“Brie” is back."
    assert.equal("Edit Brie", focus())
    go_to("close", { "shift", "tab" })
    page:press "enter"
    assert.is_true(page:run "return document.querySelector('#bar').hidden")
  end)

  it("names everything that can be used", function()
    assert.same({}, page:run [[
      return [...document.querySelectorAll("input, button")]
        .filter((each) => !each.labels?.length && !each.ariaLabel && !each.textContent &&
          !each.hidden).map((each) => each.outerHTML)]])
  end)

  it("shows what others add, as text", function()
    local odd = add { name = "<img src=x onerror=alert(1)>", note = "<b>not bold</b>" }
    add { name = "Bicycle pump", place = "Cellar", count = 2, note = "one leaks" }
    add { name = "Screws, countersunk", place = "Workshop", count = 1500, note = "4 x 40" }
    page:fill("#search", "<img")
    page:await("it is found alone", [[
      return document.querySelectorAll("#items li").length === 1 &&
        document.querySelector("#items .note").textContent === "<b>not bold</b>"]])
    assert.equal(0, page:run "return document.querySelectorAll('#items img, #items b').length")
    page:fill("#search", "nothing like that")
    page:await("it says that nothing is found",
      "return document.querySelector('#empty').textContent.includes('Nothing is found')")
    assert.equal(200, (inventory:call("DELETE", ("/api/items/%s?version=1"):format(odd.id))))
    page:fill("#search", "")
    await_row "Bicycle pump"
  end)

  it("does not overwrite what others have changed, unless it is told to", function()
    local brie = find "Brie"
    page:click '[aria-label="Edit Brie"]'
    page:fill(".editor [name=count]", "3")
    assert.equal(200, (inventory:call("PUT", "/api/items/" .. brie.id,
      { version = brie.version, name = "Brie", count = 1, note = "eaten" })))
    page:click ".editor [type=submit]"
    said "Somebody else has changed it."
    assert.is_true(is_alarmed())
    assert.equal("It is now: Brie · 1 · eaten",
      page:run "return document.querySelector('.theirs').textContent")
    assert.equal(1, find "Brie".count)
    page:click ".editor [type=submit]"
    said "Saved “Brie”."
    assert.equal(3, find "Brie".count)
  end)

  -- The answer to the next write is lost on its way; until another write, reading is slow.
  local function lose_answer()
    page:run [[
      const real = window.fetch;
      let lost = false;
      window.fetch = async (path, options) => {
        if (options.method === "GET") {
          if (lost) await new Promise((resolve) => setTimeout(resolve, 300));
          return real(path, options);
        }
        if (lost) {
          window.fetch = real;
          return real(path, options);
        }
        await real(path, options);
        lost = true;
        throw new TypeError("lost");
      }]]
  end

  it("says what may or may not have been saved, and tries again without harm", function()
    lose_answer()
    page:fill("#add [name=name]", "Twice?")
    page:click "#add button"
    said "It may or may not have been saved"
    assert.is_true(is_alarmed())
    page:click "#action"
    said "Added “Twice?”."
    local first = find "Twice?"
    lose_answer()
    page:click '[aria-label="Edit Twice?"]'
    page:fill(".editor [name=name]", "Once")
    page:click ".editor [type=submit]"
    said "It may or may not have been saved"
    page:click "#action"
    said "Saved “Once”."
    assert.same({ first.id, 2 }, { find "Once".id, find "Once".version })
    assert.is_nil(find "Twice?")
    lose_answer()
    page:click '[aria-label="Delete Once"]'
    said "It may or may not have been saved"
    page:click "#action"
    said "Deleted “Once”."
    assert.is_nil(find "Once")
  end)

  it("shows another leader when the first is killed", function()
    page:await("there is a leader", "return document.querySelector('#nodes .leads')")
    page:look(WIDE)
    page:screenshot "wide"
    local old = inventory:leader()
    inventory:kill(old.id)
    page:await("that one does not answer", [[
      return document.querySelector("#nodes .silent strong")?.textContent === arguments[1];]],
      "Node " .. old.id)
    page:await("another one leads", [[
      const leader = document.querySelector("#nodes .leads strong")?.textContent;
      return leader && leader !== arguments[1] &&
        document.querySelector("#news").textContent.startsWith(`${leader} leads.`)]],
      "Node " .. old.id)
    page:look { dark = true }
    page:screenshot "wide-dark"
  end)

  it("fits into 360 px", function()
    page:look(NARROW)
    fits()
    page:run "scrollTo(0, 0)"
    page:screenshot "narrow"
    local word = ("Donaudampfschifffahrt"):rep(3)
    page:fill("#add [name=name]", word)
    page:click "#add button"
    said "Added"
    await_row(word)
    fits()
    page:click(('[aria-label="Edit %s"]'):format(word))
    fits()
    page:look { width = NARROW.width, height = 1500, dark = true }
    page:screenshot "narrow-dark"
  end)
end)
