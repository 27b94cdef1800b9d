# lua-dqlite. `make help` lists the targets; DEVELOPMENT.md says more.

# What a user may set -------------------------------------------------------

# the interpreter to build for and run with: luajit, lua5.4, 5.3, 5.2, 5.1
LUA ?= lua5.4
# those of the suites: both, unless one is asked for by LUA=
LUAS ?= $(if $(filter command%,$(origin LUA)),$(LUA),lua5.4 luajit)
# and the others, for which make test has fewer specs
OTHER_LUAS ?= $(filter $(if $(filter command%,$(origin LUA)),$(LUA),%),\
  lua5.3 lua5.2 lua5.1)
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
# of the archive, its header and its pkg-config files
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include/$(LUA)
ifndef LUA_INCDIR
LUA_INCDIR := $(patsubst -I%,%,$(firstword $(filter -I%,$(shell \
  $(PKG_CONFIG) --cflags-only-I $(LUA) 2>/dev/null)) $(wildcard \
  $(foreach d,/usr/include /usr/local/include,$d/$(LUA) $d/$(LUA)-2.1))))
endif
ifndef DQLITE_CFLAGS
DQLITE_CFLAGS := $(shell $(PKG_CONFIG) --cflags dqlite 2>/dev/null)
endif
DQLITE_LIBS ?= -ldqlite

lua_libs = $(shell $(PKG_CONFIG) --libs $(LUA))

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
# What the specs in C are compiled with, which of them not, and by what they run
# that are for another machine (spec/cross).
INSTRUMENT ?= -fsanitize=address,undefined -fno-sanitize-recover=all
LEAVE_OUT ?=
RUN ?=
sanitize := $(CC) -std=c99 $(warnings) -Isrc -Ispec/core -g -O1 \
  -fno-omit-frame-pointer $(INSTRUMENT)

has_dqlite := $(shell printf '\043include <dqlite.h>\n' | \
  $(CC) $(DQLITE_CFLAGS) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes)
libraries := core $(if $(has_dqlite),node_core)

objects = $(patsubst src/%.c,$(out)/obj/%.o,$(wildcard $(1)))
sanitized := $(patsubst %.c,$(BUILD)/sanitize/%.o,\
  $(wildcard src/core/*.c spec/core/support/*.c))
core_tests := $(patsubst %.c,$(BUILD)/sanitize/%,\
  $(filter-out $(LEAVE_OUT),$(wildcard spec/core/*_test.c)))
fuzz := $(BUILD)/sanitize/spec/fuzz
fuzz_targets := $(patsubst %.c,$(BUILD)/sanitize/%,$(wildcard spec/fuzz/*_fuzz.c))

lua_path := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
lua_cpath := $(abspath $(out))/?.so;;
# Lua 5.2 and later prefer these, which `luarocks path` sets.
versioned := $(if $(filter-out 5.1,$(LUA_VERSION)),\
  $(addsuffix _$(subst .,_,$(LUA_VERSION)),LUA_PATH LUA_CPATH))
lua_env := env $(addprefix -u ,$(versioned)) LUA_PATH='$(lua_path)' \
  LUA_CPATH='$(lua_cpath)'
run_lua := $(lua_env) $(LUA)

support := spec/support
comma := ,
suites := $(support)/run_suites.sh
check := $(support)/check.sh

# Building ------------------------------------------------------------------

## make            build for lua5.4; LUA=luajit (lua5.3, 5.2, 5.1) for another
.PHONY: all client node
all: $(libraries:%=$(out)/dqlite/%.so)
ifndef has_dqlite
	@echo "no dqlite.h (Debian: libdqlite-dev): built without the embedded node"
endif

## make client     only the client; make node: only the embedded node
client: $(out)/dqlite/core.so
ifdef has_dqlite
node: $(out)/dqlite/node_core.so
else
node:
	@echo "no dqlite.h (Debian: libdqlite-dev): set DQLITE_CFLAGS" >&2; exit 1
endif

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

# For programs in C that host Lua: the Lua files as text, and of all objects two,
# which define what src/host/luadqlite.h documents and nothing else.
## make static     build/<lua>/libluadqlite.a and luadqlite.h, for programs in C
##                 that host Lua; AR, LD and OBJCOPY are the compiler's own
.PHONY: static
static: $(out)/libluadqlite.a $(out)/luadqlite.h
tool = $(if $(filter default undefined,$(origin $(1))),$(shell $(CC) -print-prog-name=$(2)),$($(1)))
embedded_node := $(wildcard lua/dqlite/node.lua lua/dqlite/node/*.lua)
embedded_client := $(filter-out $(embedded_node),$(wildcard lua/dqlite/*.lua lua/dqlite/*/*.lua))
exports_client := luadqlite_preload luaopen_dqlite_core
exports_node := luadqlite_preload_node luaopen_dqlite_node_core
# ld -r makes nothing of what -flto leaves.
host_obj := $(out)/$(if $(findstring -flto,$(CC) $(CPPFLAGS) $(CFLAGS)),no-lto,obj)
host_objects = $(patsubst src/%.c,$(host_obj)/%.o,$(wildcard $(1)) src/host/embedded.c \
  src/host/$(2).c src/host/$(2)_text.c)

$(out)/host/luadqlite_client.o: $(call host_objects,src/core/*.c src/lua/*.c,client)
$(out)/host/luadqlite_node.o: $(call host_objects,src/node/*.c,node)
$(out)/host/luadqlite_%.o:
	@mkdir -p $(@D)
	$(call say,link $@)
	$(quiet)$(call tool,LD,ld) -r -o $@.all $^
	$(quiet)$(call tool,OBJCOPY,objcopy) $(exports_$*:%=--keep-global-symbol=%) $@.all $@
	@rm $@.all

$(out)/libluadqlite.a: $(out)/host/luadqlite_client.o $(if $(has_dqlite),$(out)/host/luadqlite_node.o)
	$(call say,archive $@)
	@rm -f $@
	$(quiet)$(call tool,AR,ar) rcs $@ $^

$(out)/luadqlite.h: src/host/luadqlite.h
	@mkdir -p $(@D)
	@cp $< $@

$(out)/no-lto/%.o: src/%.c $(out)/compile
	@mkdir -p $(@D)
	$(call say,compile $< for $(LUA))
	$(quiet)$(compile) -fno-lto -MMD -MP -c -o $@ $<

$(host_obj)/host/%_text.o: $(BUILD)/host/%_text.c $(out)/compile
	@mkdir -p $(@D)
	$(call say,compile $< for $(LUA))
	$(quiet)$(compile) -fno-lto -MMD -MP -c -o $@ $<

# Follows when a file is added or gone, too.
$(BUILD)/host/client_text.c: $(embedded_client)
$(BUILD)/host/node_text.c: $(embedded_node)
$(BUILD)/host/%_text.c: src/host/embed.awk $(BUILD)/host/%.list
	$(quiet)LC_ALL=C awk -v list=dqh_$* -f $< $(embedded_$*) >$@.new
	@mv $@.new $@

$(BUILD)/host/%.list: FORCE
	@mkdir -p $(@D)
	@echo '$(embedded_$*)' | cmp -s - $@ || echo '$(embedded_$*)' >$@

# A program with the archive in it, and with its texts again.
$(out)/spec/host/preload_test: spec/host/preload_test.c spec/core/support/check.c spec/oom/alloc.c \
    $(host_obj)/host/client_text.o $(host_obj)/host/node_text.o $(out)/libluadqlite.a $(out)/luadqlite.h
	@mkdir -p $(@D)
	$(call say,link $@)
	$(quiet)$(compile) -I$(out) -Ispec -Ispec/core -o $@ $(filter %.c %.o %.a,$^) $(lua_libs) -lm

# What specs need of C, as modules that lua_cpath finds.
$(out)/spec/support/%.so: spec/support/%.c $(out)/compile
	@mkdir -p $(@D)
	$(call say,link $@)
	$(quiet)$(compile) $(LIBFLAG) -o $@ $<

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

$(fuzz_targets): %: %.o $(fuzz)/fuzz.o $(sanitized)
	$(call say,link $@)
	$(quiet)$(sanitize) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

$(fuzz_targets:=_replay): %_replay: %.o $(fuzz)/replay.o $(fuzz)/fuzz.o \
    $(sanitized)
	$(call say,link $@)
	$(quiet)$(sanitize) -o $@ $^ $(LDLIBS)

$(fuzz)/seeds: $(fuzz)/seeds.o $(sanitized)
	$(call say,link $@)
	$(quiet)$(sanitize) -o $@ $^ $(LDLIBS)

# What each target begins with, from the golden vectors.
$(BUILD)/fuzz/seeds: $(fuzz)/seeds $(wildcard spec/vectors/*.txt)
	@rm -rf $@
	@mkdir -p $(@D)
	$(quiet)$(RUN) $(fuzz)/seeds $@

# An interpreter with an allocator that fails. ASan does not follow the ways in
# which LuaJIT leaves functions.
oom := $(out)/oom
oom_compile := $(CC) -std=c99 $(warnings) -Isrc -Ispec -I$(LUA_INCDIR) -g \
  $(if $(filter luajit,$(LUA)),-O2,-O1 -fno-omit-frame-pointer $(INSTRUMENT))
$(oom)/%.o: %.c $(oom)/compile
	@mkdir -p $(@D)
	$(call say,compile $< for $(LUA) without memory)
	$(quiet)$(oom_compile) -MMD -MP -c -o $@ $<

$(oom)/compile: FORCE
	@mkdir -p $(@D)
	@echo '$(oom_compile)' | cmp -s - $@ || echo '$(oom_compile)' >$@

$(oom)/host: $(patsubst %.c,$(oom)/%.o,\
    $(wildcard src/core/*.c src/lua/*.c spec/oom/*.c))
	$(call say,link $@)
	$(quiet)$(oom_compile) -o $@ $^ $(lua_libs)

# SQLite itself, for the scanner to agree with.
$(BUILD)/sanitize/spec/core/sqlite_test: LDLIBS += -lsqlite3

.SECONDARY:
-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)

# Running from the tree -----------------------------------------------------

.PHONY: setup demo demo-nginx env
## make setup      install the packages of .ci/packages that are missing
setup:
	@$(SETUP)

## make demo       set up, build, run examples/quickstart.lua
demo:
	@$(SETUP) build
	@$(MAKE) all
	@$(run_lua) examples/quickstart.lua

## make demo-nginx  set up, build, run examples/openresty: a page in nginx on a
##                 cluster of three, until Ctrl-C
demo-nginx:
	@$(SETUP) build nginx
	@$(MAKE) LUA=lua5.4 all
	@$(MAKE) LUA=luajit all
	@BUILD='$(BUILD)' examples/openresty/run.sh

## make env        print the exports to run from the tree: eval "$(make -s env)"
env:
	@echo "export LUA_PATH='$(lua_path)' LUA_CPATH='$(lua_cpath)'"
	@$(if $(versioned),echo "unset $(strip $(versioned))",:)

# Specs: each target ends with a line `N passed, N failed` -------------------

.PHONY: test test-chaos test-schedules test-alone test-c test-unit test-live specs
## make test       set up and run all specs: those below
test:
	@$(SETUP) build test
	@$(suites) 'core in C=$(MAKE) -j 2 test-c' 'fuzz replay=$(MAKE) fuzz-replay' \
	  'no servers=$(MAKE) test-alone' 'servers=$(MAKE) test-servers' \
	  'chaos=$(MAKE) test-chaos'

# What suites share is built before they run side by side.
.PHONY: built
built:
	@$(foreach l,$(sort $(LUAS) lua5.4 luajit),$(MAKE) -j 2 LUA=$l all static \
	  $(BUILD)/$l/oom/host $(BUILD)/$l/spec/support/fork.so &&) \
	$(foreach l,$(OTHER_LUAS),$(MAKE) -j 2 LUA=$l all $(BUILD)/$l/spec/support/fork.so &&) :

# What waits most of the time, beside what computes.
test-chaos:
	@$(suites) -j 2 'chaos=$(MAKE) chaos CHAOS_S=15' \
	  'schedules of a pool=$(MAKE) test-schedules LUA=lua5.4'

## make test-schedules  a pool in 10,000 random schedules; SCHEDULES=n, SEED=n
SCHEDULES ?= 10000
test-schedules: all
	@$(run_lua) -e 'require "spec.support.run_schedules" ($(SEED), $(SCHEDULES))'

# What needs no server, side by side: some of it computes, some waits.
test-alone: built
	@$(suites) -j 3 'hosts in C=$(MAKE) c-hosts' $(some_oom_suites) $(unit_suites) \
	  $(hostile_suites) $(foreach l,$(filter lua5.4,$(LUAS)),$(valgrind_suite)) \
	  $(call unit_suites_of,$(filter-out $(LUAS) lua5.3 lua5.2,$(OTHER_LUAS)))

## make test-c     the specs of src/core, under ASan and UBSan
test-c: $(core_tests)
	@ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	$(suites) $(foreach t,$(core_tests),'$(notdir $t)=$(RUN) $t')

.PHONY: fuzz-replay fuzz fuzz-programs coverage
## make fuzz-replay  every fuzz target with the inputs known beforehand: those
##                 made of the golden vectors, and what fuzzing has found
fuzz_name = $(notdir $(1:_fuzz=))
fuzz_inputs = $(BUILD)/fuzz/seeds/$(fuzz_name) \
  $(wildcard spec/fuzz/found/$(fuzz_name))
fuzz-replay: $(fuzz_targets:=_replay) $(BUILD)/fuzz/seeds
	@ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	$(suites) $(foreach t,$(fuzz_targets),\
	  'fuzz $(call fuzz_name,$t)=$(RUN) $t_replay $(call fuzz_inputs,$t)')

## make fuzz       let clang's libFuzzer try new inputs, FUZZ_S=60 seconds for
##                 each target; findings go to build/fuzz/found
FUZZ_S ?= 60
fuzz:
	@$(SETUP) build test
	@$(MAKE) $(BUILD)/fuzz/seeds
	@$(MAKE) CC=clang BUILD=$(BUILD)/fuzz INSTRUMENT="$(INSTRUMENT) \
	  -fsanitize=fuzzer-no-link" fuzz-programs
	@spec/fuzz/run.sh $(FUZZ_S) $(BUILD)/fuzz \
	  $(fuzz_targets:$(BUILD)/%=$(BUILD)/fuzz/%)

fuzz-programs: $(fuzz_targets)

## make coverage   which lines of src/core no spec runs (spec/core/uncovered.txt
##                 gives the reasons): C specs, fuzz-replay and unit specs
covered := BUILD=$(BUILD)/coverage INSTRUMENT="-O0 --coverage" \
  CFLAGS="-g -O0 --coverage" LUA=lua5.4
coverage:
	@$(SETUP) build test
	@mkdir -p $(BUILD)/coverage
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@$(suites) 'core in C=$(MAKE) $(covered) test-c' \
	  'fuzz replay=$(MAKE) $(covered) fuzz-replay' \
	  'unit=$(MAKE) $(covered) specs SUITE=unit' \
	  'coverage=lua5.4 spec/core/coverage.lua $(BUILD)/coverage'

.PHONY: oom run-oom valgrind valgrind-binding run-valgrind
## make oom        every public call, with memory running out at each request
##                 for more of it: lua5.4 under ASan and UBSan, and luajit
oom:
	@$(suites) -j 2 $(oom_suites)

oom_suites = $(foreach l,$(LUAS),'oom, $l=$(MAKE) run-oom LUA=$l')
some_oom_suites = $(foreach l,$(LUAS),'oom, $l=OOM_STRIDE=3 $(MAKE) run-oom LUA=$l')

run-oom: $(oom)/host
	@ASAN_OPTIONS=detect_leaks=1:malloc_context_size=4:quarantine_size_mb=16 \
	UBSAN_OPTIONS=print_stacktrace=1 $(lua_env) $(oom)/host spec/oom/run.lua

## make valgrind   specs without a server under valgrind's memcheck, ten minutes
##                 for lua5.4 alone; valgrind-binding: of them, those of the C parts
valgrind:
	@$(suites) $(foreach l,$(LUAS),\
	  'valgrind, $l=$(MAKE) run-valgrind LUA=$l FILES="spec/unit spec/regress"')

binding_specs := $(addsuffix _spec.lua,$(addprefix spec/unit/,vectors wire \
  values params scan rows_reading result session nudge blocking)) spec/regress
valgrind-binding:
	@$(suites) -j 2 $(valgrind_suites)

valgrind_suites = $(foreach l,$(LUAS),$(valgrind_suite))
valgrind_suite = 'valgrind, $l=$(MAKE) run-valgrind LUA=$l FILES="$(binding_specs)"'

# LuaJIT's own allocator takes whole pages, in which memcheck sees nothing: the
# host of oom takes each block from malloc.
memcheck := valgrind --quiet --error-exitcode=9 --leak-check=full \
  --show-leak-kinds=definite --errors-for-leak-kinds=definite
run-valgrind: all $(if $(filter luajit,$(LUA)),$(oom)/host)
	@$(lua_env) $(memcheck) \
	  $(if $(filter luajit,$(LUA)),$(oom)/host,$(LUA)) \
	  $(support)/run_interpreted.lua $(FILES)

## make test-unit  specs without a server, on lua5.4 and luajit, or LUA=...
test-unit:
	@$(suites) -j 2 $(unit_suites)

unit_suites = $(call unit_suites_of,$(LUAS))
unit_suites_of = $(foreach l,$(1),$(foreach s,1/3 2/3 3/3,\
  'unit, $l, $s=SHARE=$s $(MAKE) specs SUITE=unit LUA=$l'))

.PHONY: test-hostile
## make test-hostile  specs against a server that misbehaves, each Lua on one of both
##                 loops; EVERYWHERE=1: on both; or DQLITE_LOOP=luv
# luv itself writes that line for each of thousands of connections.
less_luv := sed -u "/^EBADF: bad file descriptor$$/d; s/EBADF: bad file descriptor$$//"
test-hostile:
	@$(foreach l,$(LUAS),$(MAKE) LUA=$l all &&) :
	@$(suites) -j 2 $(hostile_suites)

hostile_runs = $(or $(if $(EVERYWHERE)$(DQLITE_LOOP),,$(filter lua5.4$(comma)luv \
  luajit$(comma)blocking,$(runs))),$(runs))
hostile_suites = $(foreach r,$(hostile_runs),\
  'hostile, $(run_lua_of), $(run_loop_of)=set -o pipefail; DQLITE_LOOP=$(run_loop_of) \
  $(MAKE) specs SUITE=hostile LUA=$(run_lua_of) 2>&1 | $(less_luv)')

.PHONY: c-hosts
## make c-hosts    programs in C that host Lua: libluadqlite.a alone, and those of
##                 examples/c_host with gcc, with clang, under valgrind
c_host = $(MAKE) -C examples/c_host LUA=lua5.4 WERROR=-Werror CC=$(1) BUILD='$(abspath $(2))'
c_hosts_cc := $(call c_host,$(CC),$(BUILD))
c_hosts_clang := $(call c_host,clang,$(BUILD)/clang-host)
c-hosts:
	@$(SETUP) build test
	@$(foreach l,$(LUAS),$(MAKE) LUA=$l $(BUILD)/$l/spec/host/preload_test &&) :
	@$(c_hosts_cc) all && $(c_hosts_clang) all
	@$(suites) -j 2 'valgrind=$(c_hosts_cc) valgrind' \
	  $(foreach l,$(LUAS),'libluadqlite.a, $l=$(BUILD)/$l/spec/host/preload_test') \
	  '$(CC)=$(c_hosts_cc) check' 'clang=$(c_hosts_clang) check'

.PHONY: chaos run-chaos
## make chaos      work on a cluster whose nodes are killed, frozen, cut off and
##                 exchanged meanwhile, for CHAOS_S=60 seconds, and a check of what
##                 came of it; SEED=n for what happens when, LUA=luajit
CHAOS_S ?= 60
chaos: seed := $(if $(filter command environment,$(origin SEED)),$(SEED),$(shell date +%s))
chaos:
	@$(SETUP) build test
	@$(MAKE) all
	@$(suites) 'chaos, $(LUA), $(CHAOS_S) s=set -o pipefail; \
	  $(MAKE) run-chaos SEED=$(seed) 2>&1 | $(less_luv)'

chaos_history = $(BUILD)/chaos/$(SEED)-$(LUA).txt
run-chaos: all
	@mkdir -p $(BUILD)/chaos
	@$(run_lua) spec/chaos/run.lua $(CHAOS_S) $(chaos_history) $(SEED)
	@$(run_lua) spec/chaos/check.lua $(chaos_history)

.PHONY: test-long
## make test-long  what takes too long for make test: the scanner against SQLite
##                 on millions of statements, SEED=n for others than last time;
##                 the live specs with many more rows, queries and failovers; all
##                 specs on Lua 5.3, 5.2 and 5.1
SEED ?= 1
scanner_test := $(BUILD)/sanitize/spec/core/sqlite_test
test-long:
	@$(SETUP) build test
	@$(MAKE) $(scanner_test)
	@$(suites) 'scanner, 2,000,000=$(scanner_test) 2000000 $(SEED)' \
	  'core in C, clang=$(MAKE) test-c CC=clang BUILD=$(BUILD)/clang' \
	  'two states, tsan=$(c_hosts_cc) tsan' \
	  'valgrind=$(MAKE) valgrind' 'coverage=$(MAKE) coverage' \
	  'oom=$(MAKE) oom' 'hostile=EVERYWHERE=1 $(MAKE) test-hostile' \
	  'cross=$(MAKE) check-cross' \
	  'live, in great numbers=EVERYWHERE=1 ROWS=1000000 QUERIES=200000 FAILOVERS=5 \
	    $(MAKE) test-live' \
	  'other Luas=EVERYWHERE=1 $(MAKE) test-luas'

# The servers' own process runs on lua5.4, whatever the specs run on. Suites with
# servers of their own run side by side: most of the time they wait for those.
all_loops := blocking luv cqueues host
LOOPS := $(or $(DQLITE_LOOP),$(if $(EVERYWHERE),$(all_loops),blocking luv))
## make test-live  specs against real nodes: its own, or DQLITE_SERVERS="addr...";
##                 on two loops (EVERYWHERE=1: on each of ours), or DQLITE_LOOP=luv,
##                 =cqueues, =host, or the name of a module
test-live:
	@$(foreach l,$(sort $(LUAS) $(if $(DQLITE_SERVERS),,lua5.4)),\
	  $(MAKE) LUA=$l all &&) :
	@$(suites) $(if $(DQLITE_SERVERS),,-j 4) $(cluster_suites) $(server_suites)

# Each Lua on each loop; coroutines of Lua 5.1 cannot wait.
runs_of = $(foreach loop,$(1),$(patsubst %,%$(comma)$(loop),\
  $(filter-out $(if $(filter blocking,$(loop)),,lua5.1),$(2))))
runs = $(call runs_of,$(LOOPS),$(LUAS))
run_lua_of = $(firstword $(subst $(comma), ,$r))
run_loop_of = $(lastword $(subst $(comma), ,$r))

# Those on clusters take longest, and so come first.
cluster_runs = $(if $(EVERYWHERE),$(runs),$(filter-out %$(comma)blocking %$(comma)luv,$(runs)) \
  $(filter lua5.4$(comma)blocking luajit$(comma)luv,$(runs)))
live_suite = '$(1), $(run_lua_of), $(run_loop_of)=PART=$(1) \
  DQLITE_LOOP=$(run_loop_of) $(support)/with_servers.sh \
  $(MAKE) specs SUITE=live LUA=$(run_lua_of)'
cluster_suites = $(foreach r,$(cluster_runs),$(call live_suite,clusters))
server_suites = $(foreach r,$(runs),$(call live_suite,servers))
# For make test: what most programs have, and the loop that differs most.
usual_runs := lua5.4,blocking luajit,luv luajit,cqueues
few_server_suites = $(foreach r,$(filter $(usual_runs),\
  $(call runs_of,$(or $(DQLITE_LOOP),$(all_loops)),$(LUAS) $(OTHER_LUAS))),$(call live_suite,servers))

nginx_suite := 'nginx=$(MAKE) specs SUITE=nginx LUA=lua5.4'

# Those and the specs of nginx, the longest first.
test-servers: built
	@$(suites) -j 4 $(nginx_suite) $(cluster_suites) $(few_server_suites)

.PHONY: test-nginx test-servers
## make test-nginx  specs that ask an nginx with its Lua module, whose workers run
##                 this library; in Lua 5.4, with real nodes of their own
test-nginx:
	@$(MAKE) LUA=luajit all
	@$(suites) $(nginx_suite)

.PHONY: test-luas run-binding
## make test-luas  on Lua 5.3, 5.2 and 5.1: specs with and without servers, and
##                 modules of Lua 5.1 in LuaJIT and back; EVERYWHERE=1 for all there is
test-luas:
	@$(SETUP) build test
	@$(foreach l,$(sort $(OTHER_LUAS) lua5.1 luajit),$(MAKE) LUA=$l all &&) :
	@$(suites) $(foreach t,$(other_targets),'$t=$(MAKE) $t LUAS="$(OTHER_LUAS)"') \
	  $(call swapped_suite,lua5.1,luajit) $(call swapped_suite,luajit,lua5.1) \
	  $(if $(EVERYWHERE),$(foreach l,$(OTHER_LUAS),$(clang_suite)))

other_targets = test-unit test-live $(if $(EVERYWHERE),test-hostile oom valgrind-binding)
swapped_suite = 'binding of $(2) in $(1)=$(MAKE) run-binding LUA=$(1) \
  lua_cpath="$(abspath $(BUILD)/$(2))/?.so;;"'
run-binding:
	@$(run_lua) $(support)/run_specs.lua $(binding_specs)

specs: all $(out)/spec/support/fork.so
	@$(run_lua) $(support)/run_specs.lua --run=$(SUITE)

.PHONY: check-cross
## make check-cross  core and binding for musl, arm64, armhf (32 bits) and s390x
##                 (big-endian), the latter three under qemu, with Debian's Lua 5.4
##                 and LuaJIT there; MACHINES=arm64, SPECS=spec/unit for all specs
MACHINES ?= musl arm64 armhf s390x
SPECS ?= $(binding_specs)
check-cross:
	@$(SETUP) build test cross
	@$(foreach l,lua5.4 luajit,$(MAKE) LUA=$l all &&) :
	@$(suites) -j 2 $(foreach m,$(MACHINES),'$m=spec/cross/check.sh $m $(SPECS)')

# Speed -----------------------------------------------------------------------

.PHONY: bench run-bench bench-nginx run-bench-nginx bench-programs bench-check \
  run-bench-check bench-instructions run-bench-instructions
## make bench      the clients against each other, in rounds; BENCH="--quick",
##                 "--json FILE", "--help": what else there is
BENCH ?=
bench:
	@$(SETUP) build test bench
	@$(MAKE) LUA=luajit all
	@$(MAKE) LUA=lua5.4 run-bench

## make bench-nginx  what an nginx answers that asks dqlite for a value, beside one
##                 that asks Redis; BENCH="--rounds N", "--help"
bench-nginx:
	@$(SETUP) build test bench
	@$(MAKE) LUA=luajit all
	@$(MAKE) LUA=lua5.4 run-bench-nginx

run-bench-nginx: all
	@$(run_lua) bench/nginx/run.lua --build $(BUILD) $(BENCH)

## make bench-check  that the bench measures each workload with each client but Go,
##                 without a look at how fast
bench-check:
	@$(SETUP) build test
	@$(MAKE) LUA=luajit all
	@$(MAKE) LUA=lua5.4 run-bench-check

run-bench-check: all $(addprefix $(BUILD)/bench/,c sqlite)
	@$(run_lua) bench/check.lua $(BUILD)

run-bench: all bench-programs
	@$(run_lua) bench/run.lua --build $(BUILD) $(BENCH)

## make bench-instructions  how many instructions an operation takes, against the
##                 committed figures; UPDATE=1 writes those
bench-instructions:
	@$(SETUP) build test
	@$(MAKE) LUA=luajit all
	@$(MAKE) LUA=lua5.4 run-bench-instructions

run-bench-instructions: all $(BUILD)/bench/core
	@$(run_lua) bench/instructions/run.lua $(BUILD) $(if $(UPDATE),update)

bench-programs: $(addprefix $(BUILD)/bench/,c go sqlite)

bench_compile := $(CC) -std=c99 $(warnings) $(CPPFLAGS) $(CFLAGS)
limit_sources := $(addprefix bench/clients/,limit.c frames.c measure.c)
sqlite_sources := $(addprefix bench/clients/,sqlite.c measure.c)
$(BUILD)/bench/c: $(limit_sources) $(wildcard bench/clients/*.h)
	@mkdir -p $(@D)
	$(call say,compile $@)
	$(quiet)$(bench_compile) -o $@ $(limit_sources)

$(BUILD)/bench/sqlite: $(sqlite_sources) $(wildcard bench/clients/*.h)
	@mkdir -p $(@D)
	$(call say,compile $@)
	$(quiet)$(bench_compile) -o $@ $(sqlite_sources) -lsqlite3

core_sources := bench/instructions/core.c $(wildcard src/core/*.c)
$(BUILD)/bench/core: $(core_sources) $(wildcard src/core/*.h)
	@mkdir -p $(@D)
	$(call say,compile $@)
	$(quiet)$(bench_compile) -Isrc -o $@ $(core_sources)

# go-dqlite as Debian's package has it, without modules.
$(BUILD)/bench/go: bench/clients/peer.go
	@mkdir -p $(@D)
	$(call say,compile $@)
	$(quiet)GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= \
	  GOCACHE=$(abspath $(BUILD))/bench/gocache go build -o $@ $<

# Checks: the same last line --------------------------------------------------

.PHONY: lint layers examples run-examples format
lua_files := lua library spec bench examples .luacheckrc .busted config.ld
rockspecs := $(wildcard *.rockspec)
c_files := $(shell find src bench spec examples -name '*.[ch]' 2>/dev/null)

## make lint       luacheck, clang-format, clang's warnings, the reference, the rockspecs
lint:
	@$(SETUP) build test lint
	@$(suites) 'luacheck=$(check) luacheck -q $(lua_files)' \
	  'clang-format=$(check) clang-format --dry-run -Werror $(c_files)' \
	  $(foreach l,luajit,$(clang_suite)) \
	  'reference=lua5.4 $(support)/check_doc.lua' \
	  'files in rockspecs=lua5.4 $(support)/check_rockspecs.lua $(rockspecs)' \
	  $(foreach r,$(rockspecs),'$(r:-scm-1.rockspec=)=$(check) luarocks lint $r')

clang_suite = 'clang, $l=$(check) \
  $(MAKE) -k CC=clang BUILD=$(BUILD)/clang LUA=$l all'

## make layers     the rules of which file may use what
layers:
	@$(SETUP) build test lint
	@$(MAKE) LUA=lua5.4 all static
	@$(MAKE) LUA=luajit all static
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

.PHONY: install uninstall dist check-install doc clean help
modules := $(shell find lua -name '*.lua')
lua_dir := $(DESTDIR)$(LUA_LMOD)
c_dir := $(DESTDIR)$(LUA_CMOD)/dqlite
lib_dir := $(DESTDIR)$(LIBDIR)
include_dir := $(DESTDIR)$(INCLUDEDIR)
pc_of = '$(lib_dir)/pkgconfig/$(LUA)-dqlite$(1).pc'

## make install    PREFIX=/usr/local; LUA_LMOD, LUA_CMOD, LIBDIR, INCLUDEDIR, DESTDIR
install: all static
	for dir in $(sort $(dir $(modules:lua/%=%))); do $(INSTALL) -d '$(lua_dir)'/"$$dir" && \
	  $(INSTALL) -m 644 "lua/$$dir"*.lua '$(lua_dir)'/"$$dir" || exit; done
	$(INSTALL) -d '$(c_dir)' '$(lib_dir)/pkgconfig' '$(include_dir)'
	$(INSTALL) -m 755 $(libraries:%=$(out)/dqlite/%.so) '$(c_dir)'
	$(INSTALL) -m 644 $(out)/libluadqlite.a '$(lib_dir)/lib$(LUA)-dqlite.a'
	$(INSTALL) -m 644 $(out)/luadqlite.h '$(include_dir)'
	$(call write_pc,)
	$(if $(has_dqlite),$(call write_pc,-node,$(DQLITE_LIBS) -lsqlite3 -ldl))

# For pkg-config: one for the client, one for the client and a node.
define write_pc
$(INSTALL) -m 644 src/host/dqlite.pc.in $(call pc_of,$(1))
sed -i 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(call below_prefix,$(LIBDIR))|; \
  s|@INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|; s|@LUA@|$(LUA)|; \
  s|@NAME@|$(LUA)-dqlite$(1)|; s|@REQUIRES@|$(shell $(PKG_CONFIG) --exists $(LUA) && echo $(LUA))|; \
  s|@LIBS@|$(strip $(2) -lm)|; s|@VERSION@|$(version)|' $(call pc_of,$(1))
endef
below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
version = $(shell sed -n 's/.*DQL_VERSION "\(.*\)"/\1/p' src/lua/version.h)

## make uninstall  with the same variables
uninstall:
	[ ! -d '$(lua_dir)' ] || (cd '$(lua_dir)' && rm -f $(modules:lua/%=%))
	rm -f '$(c_dir)/core.so' '$(c_dir)/node_core.so' '$(include_dir)/luadqlite.h' \
	  '$(lib_dir)/lib$(LUA)-dqlite.a' $(call pc_of,) $(call pc_of,-node)
	find '$(lua_dir)/dqlite' '$(lua_dir)/resty/dqlite' '$(c_dir)' -depth -type d -empty -delete \
	  2>/dev/null || true
	rmdir '$(lua_dir)/resty' '$(include_dir)' 2>/dev/null || true

## make dist       build/lua-dqlite-VERSION.tar.gz: the files that git knows, or
##                 those that came with such a file
dist:
	@$(support)/dist.sh $(BUILD)/lua-dqlite-$(version).tar.gz

## make check-install  install, dist, pkg-config, and luarocks for every Lua, into
##                 empty places: the quick start runs, and nothing is left in the end
check-install:
	@$(SETUP) build install
	@$(foreach l,lua5.4 luajit,$(MAKE) LUA=$l all static &&) $(MAKE) dist
	@BUILD='$(BUILD)' TARBALL='$(BUILD)/lua-dqlite-$(version).tar.gz' spec/install/run.sh

## make doc        the reference, from the LDoc comments, into build/doc
doc:
	@$(SETUP) doc
	ldoc -d $(BUILD)/doc .

## make clean
clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^## //p' Makefile
