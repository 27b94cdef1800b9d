local yaml = require "dqlite.yaml"

local GO = [[
- Address: 127.0.0.1:2911
  ID: 3297041220608546238
  Role: 0
- Address: '[::1]:2912'
  ID: 16961348629693506823
  Role: 1
- Address: '@dqlite'
  ID: 0
  Role: 2
]]
local NODES = {
  { address = "127.0.0.1:2911", id = "3297041220608546238", role = "voter" },
  { address = "[::1]:2912", id = "16961348629693506823", role = "standby" },
  { address = "@dqlite", id = "0", role = "spare" },
}

local ONE = { { id = "1", address = "a:1", role = "voter" } }

-- Every text is read as the one node above.
local SAME = {
  ["- Address: a:1\n  ID: 1"] = "no newline at the end",
  ["- ID: 1\n  Address: a:1\n"] = "another order",
  ["- Role: 0\n  ID: 1\n  Address: a:1\n"] = "the role first",
  ["- address: a:1\n  id: 1\n  role: voter\n"] = "lower case",
  ["- Address: 'a:1'\n  ID: '1'\n  Role: '0'\n"] = "single quotes",
  ["- Address: \"a:1\"\n  ID: \"1\"\n  Role: \"voter\"\n"] = "double quotes",
  ["- Address: a:1\r\n  ID: 1\r\n"] = "CRLF",
  ["- Address: a:1\r\n  ID: 1\r"] = "a CR at the end",
  ["\239\187\191- Address: a:1\n  ID: 1\n"] = "a byte order mark",
  ["---\n- Address: a:1\n  ID: 1\n"] = "the start of a document",
  ["--- # x\n- Address: a:1\n  ID: 1\n"] = "the same with a comment",
  ["# c\n\n  # c\n\t# c\n- Address: a:1 # c\n\n# - ID: 2\n  ID: 1  # c\n   \n"] = "comments",
  ["-   Address: a:1\n    ID: 1\n"] = "a wide indent",
  ["  - Address: a:1\n    ID: 1\n"] = "an indent of the list",
  ["-\n  Address: a:1\n  ID: 1\n"] = "keys below the dash",
  ["- # c\n Address: a:1\n ID: 1\n"] = "keys below the dash and a comment",
  ["- Address:   a:1   \n  ID:     1  \n"] = "blanks",
  ["- Address: 'a:1' # c\n  ID: \"1\"   \n"] = "a comment behind quotes",
}

-- What is wrong, by text.
local WRONG = {
  ["- Address: a:1\n"] = "line 1: the node that begins here has no ID",
  ["- ID: 1\n"] = "line 1: the node that begins here has no Address",
  ["\n- ID: 1\n\n- ID: 2\n  Address: a:1\n"] = "line 2: the node that begins here has no Address",
  ["-\n-\n"] = "line 1: the node that begins here has no Address",
  ["- ID: 1\n  ID: 2\n"] = "line 2: ID is there twice",
  ["- ID: 1\n  id: 1\n"] = "line 2: id is there twice",
  ["- ID: 1\n  Weight: 1\n"] = "line 2: the key 'Weight' is none of Address, ID and Role",
  ["- iD: 1\n"] = "line 1: the key 'iD' is none of Address, ID and Role",
  ["- ID:\n"] = "line 1: the value is missing",
  ["- ID: # 1\n"] = "line 1: the value is missing",
  ["- ID:1\n"] = "line 1: this is no 'key: value'",
  ["- ID\n"] = "line 1: this is no 'key: value'",
  ["- Address: a:1\n  ID: 1\n  Role: 3\n"] = "line 3: '3': a Role is 0",
  ["- Address: a:1\n  ID: 1\n  Role: null\n"] = "line 3: 'null': a Role is 0",
  ["- Address: a\n"] = "line 1: 'a': the port is missing",
  ["- Address: a:0\n"] = "line 1: 'a:0': the port is 0",
  ["- Address: 5\n"] = "line 1: '5': the port is missing",
  ["- Address: ''\n"] = "line 1: '': the address is empty",
  ["- Address: [::1]:1\n"] = "line 1: a value that begins with '%[' needs quotes",
  ["- Address: @a\n"] = "line 1: a value that begins with '@' needs quotes",
  ["- Address: &x a:1\n"] = "line 1: a value that begins with '&' needs quotes",
  ["- Address: *x\n"] = "line 1: a value that begins with '%*' needs quotes",
  ["- Address: !!str a:1\n"] = "line 1: a value that begins with '!' needs quotes",
  ["- Address: |\n    a:1\n"] = "line 1: a value that begins with '|' needs quotes",
  ["- Address: >-\n    a:1\n"] = "line 1: a value that begins with '>' needs quotes",
  ["- Address: {a: 1}\n"] = "line 1: a value that begins with '{' needs quotes",
  ["- Address: /a:\n"] = "line 1: a value with a colon at its end needs quotes",
  ["- Address: a: 1\n"] = "line 1: a value with a colon at its end needs quotes",
  ["- Address: a:1\n    b\n"] = "line 2: this is no 'key: value'",
  ["- Address: a:1\n    ID: 1\n"] = "line 2: the indent is another",
  ["- Address: a:1\n ID: 1\n"] = "line 2: the indent is another",
  ["-\nID: 1\n"] = "line 2: the indent is another",
  ["- ID: 1\n  Address: a:1\n - ID: 2\n"] = "line 3: the indent is another",
  ["- Address: 'a:1\n"] = "line 1: the quotes do not end",
  ["- Address: \"a:1\\\"\n"] = "line 1: the quotes do not end",
  ["- Address: 'a:1'b\n"] = "line 1: something follows the quotes",
  ["- Address: 'a:1'#b\n"] = "line 1: something follows the quotes",
  ["- Address: \"a:\\x31\"\n"] = "line 1: of the escapes only",
  ["-\tID: 1\n"] = "line 1: a tab",
  ["- ID:\t1\n"] = "line 1: a tab",
  ["- Address: a:1\n\tID: 1\n"] = "line 2: a tab",
  ["ID: 1\n"] = "line 1: a list begins with '%- '",
  ["Address: a:1\nID: 1\nRole: 0\n"] = "line 1: a list begins with '%- '",
  ["a:1\n"] = "line 1: a list begins with '%- '",
  ["[{ID: 1, Address: a:1}]\n"] = "line 1: a list begins with '%- '",
  ["{}\n"] = "line 1: a list begins with '%- '",
  ["%YAML 1.1\n---\n"] = "line 1: a list begins with '%- '",
  ["---\n---\n"] = "line 2: a list begins with '%- '",
  ["- {ID: 1, Address: a:1}\n"] = "line 1: this is no 'key: value'",
  ["- \"ID\": 1\n"] = "line 1: this is no 'key: value'",
  ["- ? ID\n"] = "line 1: this is no 'key: value'",
  ["- <<: *x\n"] = "line 1: this is no 'key: value'",
  ["- a:1\n"] = "line 1: this is no 'key: value'",
  ["- - ID: 1\n"] = "line 1: this is no 'key: value'",
  ["- ID: 1\n  Address: a:1\n---\n"] = "line 3: this is no 'key: value'",
  ["- ID: 1\n  Address: a:1\n...\n"] = "line 3: this is no 'key: value'",
  ["- ID: 1\n  Address: a:1\n[]\n"] = "line 3: this is no 'key: value'",
  ["[]\n- ID: 1\n"] = "line 2: something follows the end",
  ["null\n[]\n"] = "line 2: something follows the end",
  ["- ID: 1\0\n"] = "line 1: a control character",
  ["# \27[2J\n"] = "line 1: a control character",
  ["\n\n- ID: 1\rAddress: a:1\n"] = "line 3: a control character",
  ["\255\254-\0 \0"] = "line 1: a control character",
  ["# \194\133- ID: 1\n"] = "line 1: a control character",
  ["# \226\128\168- ID: 1\n"] = "line 1: a control character",
  ["- Address: '/a\226\128\169'\n  ID: 1\n"] = "line 1: a control character",
  ["- Address: h\226\128\174:x\n"] = "line 1: 'h\\xe2\\x80\\xae:x': the port is not a number",
}

describe("cluster.yaml", function()
  it("is read as go-dqlite writes it", function()
    assert.same(NODES, yaml.read(GO))
  end)

  it("is written as go-dqlite writes it", function()
    assert.equal(GO, yaml.write(NODES))
  end)

  it("may be written in other ways", function()
    for text, about in pairs(SAME) do
      local read, wrong = yaml.read(text)
      assert.same({ ONE, nil }, { read, wrong }, about)
    end
  end)

  it("holds an empty list, or nothing", function()
    for _, text in ipairs { "", "\n", "# c\n\n", "---\n", "[]\n", "[] # c\n", "---\n[]\n# c\n",
      "null\n", "~", "\239\187\191", "  \r\n" } do
      assert.same({}, (yaml.read(text)), text)
    end
    assert.equal("[]\n", yaml.write {})
  end)

  it("names every role in several ways", function()
    for role, texts in pairs { voter = { "0", "voter" }, standby = { "1", "stand-by", "standby" },
      spare = { "2", "spare" } } do
      for _, text in ipairs(texts) do
        assert.equal(role, yaml.read("- ID: 1\n  Address: a:1\n  Role: " .. text)[1].role)
      end
    end
  end)

  it("has ids of 64 bits", function()
    for _, id in ipairs { "0", "9007199254740993", "9223372036854775808",
      "18446744073709551615" } do
      assert.equal(id, yaml.read("- Address: a:1\n  ID: " .. id)[1].id)
    end
    for _, id in ipairs { "18446744073709551616", ("9"):rep(500), "1e3", "0x10", "0o17", "017",
      "-1", "+1", "1.0", "1_000", "1:30", ".inf", "true", "null", "~", "- 1", "1 2", "'1 '" } do
      local read, wrong = yaml.read("- Address: a:1\n  ID: " .. id .. "\n")
      assert.is_nil(read, id)
      assert.matches("^line 2: '.*': an id is", wrong)
    end
  end)

  it("is refused with the line's number when it is anything else", function()
    for text, wanted in pairs(WRONG) do
      local read, wrong = yaml.read(text)
      assert.is_nil(read, text)
      assert.equal(1, (wrong:find("^" .. wanted)), wrong .. " is not " .. wanted)
    end
  end)

  it("is read back as it was written", function()
    local list = {}
    for i, address in ipairs { "a:1", "1.2.3.4:5", "12:30", "0x1:2", "true:1", "a_b:1", "/a:",
      "/x#y", "/it's", "@q\"\\", "@'", "[fe80::1%eth0]:1", "/-", "-:1", "~:1" } do
      list[i] = { id = tostring(i), address = address, role = "spare" }
    end
    local text = yaml.write(list)
    assert.same(list, yaml.read(text))
    assert.same(list, yaml.read((text:gsub("\n", "\r\n"))))
  end)

  it("has the id 0 where none is known, and only ASCII", function()
    assert.equal("- Address: a:1\n  ID: 0\n  Role: 0\n",
      yaml.write { { address = "a:1", role = "voter" } })
    assert.same({ nil, "entry 2: the address is not ASCII" }, { yaml.write {
      { address = "a:1", role = "voter" }, { address = "/\195\169", role = "voter" } } })
  end)

  it("has 10,000 nodes at most", function()
    local parts = {}
    for i = 1, 10000 do parts[i] = ("- Address: h%d:1\n  ID: %d\n"):format(i, i) end
    local text = table.concat(parts)
    assert.equal(10000, #yaml.read(text))
    assert.same({ nil, "line 20001: there are more than 10000 nodes" },
      { yaml.read(text .. "- Address: h:1\n  ID: 1\n") })
  end)

  it("is looked at in a time that grows with its size alone", function()
    local MIB = 1024 * 1024
    local start = os.clock()
    for _, text in ipairs { (" "):rep(MIB), (" "):rep(MIB) .. "x", ("-"):rep(MIB),
      ("- "):rep(MIB / 2), ("["):rep(MIB), "- Address: " .. ("'"):rep(MIB),
      "- Address: x" .. (" "):rep(MIB) .. "x", ("\n"):rep(MIB), ("\r"):rep(MIB),
      ("#\n"):rep(MIB / 2), ("\t"):rep(MIB), (" \n"):rep(MIB / 2), ("x:"):rep(MIB / 2) } do
      local read, wrong = yaml.read(text)
      assert.is_true(wrong ~= nil or #read == 0)
    end
    assert.is_true(os.clock() - start < 20)
    assert.equal("line 1: the line is too long", select(2, yaml.read(("x"):rep(1025))))
  end)
end)
