# lua-dqlite. `make help` lists the targets; DEVELOPMENT.md says more.

# What a user may set -------------------------------------------------------

# the interpreter to build for and run with: luajit, lua5.4, 5.3, 5.2, 5.1
LUA ?= lua5.4
# those of the suites: both, unless one is asked for by LUA=
LUAS ?= $(if $(filter command%,$(origin LUA)),$(LUA),lua5.4 luajit)
CFLAGS ?= -O2
# make WERROR= for a compiler whose warnings we have not seen
WERROR ?= -Werror
LIBFLAG ?= -shared
BUILD ?= build
PREFIX ?= /usr/local
INSTALL ?= install
PKG_CONFIG ?= pkg-config
# make SETUP=true leaves the packages to you
SETUP ?= spec/support/setup.sh

LUA_VERSION := $(patsubst lua%,%,$(LUA:luajit=lua5.1))
ifeq ($(filter 5.1 5.2 5.3 5.4,$(LUA_VERSION)),)
$(error LUA=$(LUA) is none of luajit, lua5.4, lua5.3, lua5.2, lua5.1)
endif
LUA_LMOD ?= $(PREFIX)/share/lua/$(LUA_VERSION)
LUA_CMOD ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
ifndef LUA_INCDIR
LUA_INCDIR := $(patsubst -I%,%,$(firstword $(filter -I%,$(shell \
  $(PKG_CONFIG) --cflags-only-I $(LUA) 2>/dev/null)) $(wildcard \
  $(foreach d,/usr/include /usr/local/include,$d/$(LUA) $d/$(LUA)-2.1))))
endif
ifndef DQLITE_CFLAGS
DQLITE_CFLAGS := $(shell $(PKG_CONFIG) --cflags dqlite 2>/dev/null)
endif
DQLITE_LIBS ?= -ldqlite

# What is ours --------------------------------------------------------------

MAKEFLAGS += --no-print-directory
# make V=1 shows the whole commands
quiet := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")
out := $(BUILD)/$(LUA)
warnings := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes $(WERROR)
# A user's CFLAGS come after ours and do not replace them.
compile := $(CC) -std=c99 $(warnings) -fPIC -Isrc \
  -I$(LUA_INCDIR) $(DQLITE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
sanitize := $(CC) -std=c99 $(warnings) -Isrc -Ispec/core -g -O1 \
  -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize-recover=all

has_dqlite := $(shell printf '\043include <dqlite.h>\n' | \
  $(CC) $(DQLITE_CFLAGS) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes)
libraries := core $(if $(has_dqlite),node_core)

objects = $(patsubst src/%.c,$(out)/obj/%.o,$(wildcard $(1)))
sanitized := $(patsubst %.c,$(BUILD)/sanitize/%.o,\
  $(wildcard src/core/*.c spec/core/support/*.c))
core_tests := $(patsubst %.c,$(BUILD)/sanitize/%,$(wildcard spec/core/*_test.c))

lua_path := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
lua_cpath := $(abspath $(out))/?.so;;
# Lua 5.2 and later prefer these, which `luarocks path` sets.
versioned := $(if $(filter-out 5.1,$(LUA_VERSION)),\
  $(addsuffix _$(subst .,_,$(LUA_VERSION)),LUA_PATH LUA_CPATH))
run_lua := env $(addprefix -u ,$(versioned)) LUA_PATH='$(lua_path)' \
  LUA_CPATH='$(lua_cpath)' $(LUA)

support := spec/support
suites := $(support)/run_suites.sh
check := $(support)/check.sh

# Building ------------------------------------------------------------------

## make            build for lua5.4; LUA=luajit (lua5.3, 5.2, 5.1) for another
.PHONY: all client node
all: $(libraries:%=$(out)/dqlite/%.so)
ifndef has_dqlite
	@echo "no dqlite.h: built without the embedded node (dqlite.node)"
endif

## make client     only the client; make node: only the embedded node
client: $(out)/dqlite/core.so
node: $(out)/dqlite/node_core.so

$(out)/dqlite/core.so: $(call objects,src/core/*.c src/lua/*.c)
$(out)/dqlite/node_core.so: $(call objects,src/node/*.c)
$(out)/dqlite/node_core.so: LDLIBS += $(DQLITE_LIBS) -ldl
$(out)/dqlite/%.so:
	@mkdir -p $(@D)
	$(call say,link $@)
	$(quiet)$(CC) $(LIBFLAG) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(out)/obj/%.o: src/%.c $(out)/compile
	@mkdir -p $(@D)
	$(call say,compile $< for $(LUA))
	$(quiet)$(compile) -MMD -MP -c -o $@ $<

# Holds the compiler's command line: objects follow when that changes.
.PHONY: FORCE
$(out)/compile: FORCE
	@test -n "$(LUA_INCDIR)" || \
	  { echo "no headers of $(LUA) found: set LUA_INCDIR" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(compile)' | cmp -s - $@ || echo '$(compile)' >$@

$(BUILD)/sanitize/%.o: %.c $(BUILD)/sanitize/compile
	@mkdir -p $(@D)
	$(call say,compile $< with ASan and UBSan)
	$(quiet)$(sanitize) -MMD -MP -c -o $@ $<

$(BUILD)/sanitize/compile: FORCE
	@mkdir -p $(@D)
	@echo '$(sanitize)' | cmp -s - $@ || echo '$(sanitize)' >$@

$(core_tests): %: %.o $(sanitized)
	$(call say,link $@)
	$(quiet)$(sanitize) -o $@ $^ $(LDLIBS)

# SQLite itself, for the scanner to agree with.
$(BUILD)/sanitize/spec/core/sqlite_test: LDLIBS += -lsqlite3

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Running from the tree -----------------------------------------------------

.PHONY: setup demo env
## make setup      install the packages of .ci/packages that are missing
setup:
	@$(SETUP)

## make demo       set up, build, run examples/quickstart.lua
demo:
	@$(SETUP) build
	@$(MAKE) all
	@$(run_lua) examples/quickstart.lua

## make env        print the exports to run from the tree: eval "$(make -s env)"
env:
	@echo "export LUA_PATH='$(lua_path)' LUA_CPATH='$(lua_cpath)'"
	@$(if $(versioned),echo "unset $(strip $(versioned))",:)

# Specs: each target ends with a line `N passed, N failed` -------------------

.PHONY: test test-c test-unit test-live specs
## make test       set up and run all specs: the three below, the first with
##                 clang as well, whose sanitizers see more
test:
	@$(SETUP) build test
	@$(suites) 'core in C=$(MAKE) test-c' \
	  'core in C, clang=$(MAKE) test-c CC=clang BUILD=$(BUILD)/clang' \
	  'unit=$(MAKE) test-unit' 'live=$(MAKE) test-live'

## make test-c     the specs of src/core, under ASan and UBSan
test-c: $(core_tests)
	@ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	$(suites) $(foreach t,$(core_tests),'$(notdir $t)=$t')

## make test-unit  specs without a server, on lua5.4 and luajit, or LUA=...
test-unit:
	@$(suites) $(foreach l,$(LUAS),'unit, $l=$(MAKE) specs SUITE=unit LUA=$l')

.PHONY: test-long
## make test-long  what takes too long for make test: the scanner against SQLite
##                 on millions of statements; SEED=n for others than last time
SEED ?= 1
scanner_test := $(BUILD)/sanitize/spec/core/sqlite_test
test-long:
	@$(SETUP) build test
	@$(MAKE) $(scanner_test)
	@$(suites) 'scanner, 2,000,000=$(scanner_test) 2000000 $(SEED)'

# The servers' own process runs on lua5.4, whatever the specs run on.
## make test-live  specs against real nodes: its own, or DQLITE_SERVERS="addr..."
test-live:
	@$(if $(DQLITE_SERVERS),:,$(MAKE) LUA=lua5.4 all)
	@$(support)/with_servers.sh $(suites) \
	  $(foreach l,$(LUAS),'live, $l=$(MAKE) specs SUITE=live LUA=$l')

specs: all
	@$(run_lua) $(support)/run_specs.lua --run=$(SUITE)

# Checks: the same last line --------------------------------------------------

.PHONY: lint layers examples run-examples format
lua_files := lua spec examples .luacheckrc .busted config.ld
rockspecs := $(wildcard *.rockspec)
c_files := $(shell find src spec/core -name '*.[ch]' 2>/dev/null)

## make lint       luacheck, clang-format, clang's warnings, the rockspecs
lint:
	@$(SETUP) build test lint
	@$(suites) 'luacheck=$(check) luacheck -q $(lua_files)' \
	  'clang-format=$(check) clang-format --dry-run -Werror $(c_files)' \
	  $(foreach l,lua5.4 luajit,'clang, $l=$(check) \
	    $(MAKE) -k CC=clang BUILD=$(BUILD)/clang LUA=$l all') \
	  'files in rockspecs=lua5.4 $(support)/check_rockspecs.lua $(rockspecs)' \
	  $(foreach r,$(rockspecs),'$(r:-scm-1.rockspec=)=$(check) luarocks lint $r')

## make layers     the rules of which file may use what
layers:
	@$(SETUP) build test lint
	@$(MAKE) LUA=lua5.4 all
	@$(MAKE) LUA=luajit all
	@$(support)/check_layers.sh $(BUILD)

## make examples   run the examples and look at what they print
examples:
	@$(SETUP) build test
	@$(suites) $(foreach l,$(LUAS),'examples, $l=$(MAKE) run-examples LUA=$l')

run-examples: all
	@$(support)/run_examples.sh $(run_lua)

## make format     lay out the C files as lint wants them
format:
	clang-format -i $(c_files)

# Installing ------------------------------------------------------------------

.PHONY: install uninstall doc clean help
node_modules := lua/dqlite/node% lua/dqlite/app%
modules := $(filter-out $(if $(has_dqlite),,$(node_modules)),\
  $(shell find lua -name '*.lua'))
lua_dir := $(DESTDIR)$(LUA_LMOD)
c_dir := $(DESTDIR)$(LUA_CMOD)/dqlite

## make install    PREFIX=/usr/local; LUA_LMOD, LUA_CMOD, DESTDIR as usual
install: all
	for file in $(modules:lua/%=%); do \
	  $(INSTALL) -D -m 644 "lua/$$file" '$(lua_dir)'/"$$file" || exit; done
	$(INSTALL) -d '$(c_dir)'
	$(INSTALL) -m 755 $(libraries:%=$(out)/dqlite/%.so) '$(c_dir)'

## make uninstall  with the same variables
uninstall:
	for file in $(modules:lua/%=%); do rm -f '$(lua_dir)'/"$$file"; done
	for name in $(libraries); do rm -f '$(c_dir)'/"$$name.so"; done
	-find '$(lua_dir)/dqlite' '$(c_dir)' -depth -type d -empty -delete

## make doc        the reference, from the LDoc comments, into build/doc
doc:
	@$(SETUP) doc
	ldoc -d $(BUILD)/doc .

## make clean
clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^## //p' Makefile
