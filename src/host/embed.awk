# LC_ALL=C awk -v list=NAME -f embed.awk lua/dqlite/init.lua...: C text that defines
# the list NAME (embedded.h) of these modules. Their lines become string literals,
# in pieces that every C99 compiler takes (4095 characters).

# A literal's text for a line. \? is for trigraphs.
function quoted(line,    i, text) {
  gsub(/[\\"?]/, "\\\\&", line)
  if (line !~ /[^ -~]/) return line
  for (i = 1; i <= length(line); i++) text = text escape(substr(line, i, 1))
  return text
}

function escape(char) {
  return char ~ /[ -~]/ ? char : sprintf("\\%03o", code[char])
}

function end_module() {
  if (modules) print ",\n  NULL};"
}

# lua/dqlite/loop/luv.lua: dqlite.loop.luv
function begin_module(path,    name) {
  end_module()
  sub(/^lua\//, "", path)
  name = path
  sub(/(\/init)?\.lua$/, "", name)
  gsub(/\//, ".", name)
  names[++modules] = name
  chunks[modules] = "@" path
  printf "\nstatic const char *const text_%d[] = {", modules
  size = 0
}

BEGIN {
  for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
  print "#include \"host/embedded.h\""
}

FNR == 1 { begin_module(FILENAME) }

{
  size += length($0) + 1
  if (length($0) > 4000) exit failed = 1
  if (size > 4000) {
    printf ","
    size = length($0) + 1
  }
  printf "\n  \"%s\\n\"", quoted($0)
}

END {
  if (failed || modules != ARGC - 1) {
    print "embed.awk: an empty file, or a line too long: " FILENAME >"/dev/stderr"
    exit 1
  }
  end_module()
  printf "\nconst struct dqh_module %s[] = {\n", list
  for (i = 1; i <= modules; i++) {
    printf "  {\"%s\", \"%s\", text_%d},\n", names[i], chunks[i], i
  }
  print "  {NULL, NULL, NULL}};"
}
