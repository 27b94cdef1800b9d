-- The picture that the bench draws of its ratios.
local plan = require "bench.plan"
local plot = require "bench.plot"
local tags = require "spec.support.tags"

local GOALS = { { workload = "b", regime = "one_core", who = "luv", most = 1.25 } }

local function result(client, ratio, least, most)
  return { workload = "b", regime = "one_core", client = client, ratio = ratio,
    ratio_min = least or ratio, ratio_max = most or ratio }
end

local function drawn(results, what)
  local run = { regimes = { "one_core" }, workloads = { { name = "b", what = what or "x" } } }
  return plot.svg(results, run, GOALS)
end

local function count(text, part)
  return select(2, text:gsub(part, ""))
end

describe("the picture of the bench", function()
  it("is XML, whatever a text has in it", function()
    local svg = drawn({ result("go", 2), result("lua5.4-luv", 1, 0.5, 2) }, [[<a & "b" > c>]])
    assert.is_nil(tags.fault(svg))
    assert.matches("&lt;a &amp; &quot;b&quot; &gt; c&gt;", svg, 1, true)
    assert.is_nil(tags.fault(plot.svg({}, plan, GOALS)))
  end)

  it("has the axis that it says: as far from 1 to 2 as from 2 to 4", function()
    assert.near(0.5, plot.place(1), 1e-9)
    assert.near(plot.place(2) - plot.place(1), plot.place(4) - plot.place(2), 1e-9)
    assert.near(1, plot.place(4), 1e-9)
    assert.is_true(plot.place(0.2) < 0)
  end)

  it("has a dot for each client, whiskers where rounds differ, and the goal of each", function()
    local plain = drawn {}
    local svg = drawn { result("go", 2), result("lua5.4-luv", 1, 0.5, 2), result("c", 1) }
    assert.equal(2, count(svg, "<circle") - count(plain, "<circle"))
    assert.equal(1, count(svg, "<path d=\"M[%d.]+ [%d.]+H"))
    assert.equal(2, count(svg, 'class="goal"')) -- one is in the legend
    assert.equal(1, count(drawn { result("lua5.4-blocking", 1) }, 'class="goal"'))
  end)

  it("writes the number where a ratio is beyond the axis", function()
    local svg = drawn { result("go", 339.4), result("lua5.4-luv", 0.0041) }
    assert.matches(">339<", svg, 1, true)
    assert.matches(">0.0041<", svg, 1, true)
    assert.equal(count(drawn {}, "<circle"), count(svg, "<circle"))
  end)

  it("is held to matching tags", function()
    for _, text in ipairs { "<a><b></a></b>", "<a>", "<a>&</a>", "<a b=c></a>", "", "<a></a>x" } do
      assert.is_string(tags.fault(text))
    end
    assert.is_nil(tags.fault '<a b="c"><d/>e &amp; f</a>\n')
  end)
end)
