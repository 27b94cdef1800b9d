# dqlite.node_core for luarocks, which sets all variables that are not set here. Its
# build type "builtin" would install the whole of lua/, as it does for lua-dqlite.

# Where it is in none of these, the compiler may know of it.
libdirs := $(DQLITE_LIBDIR) $(DQLITE_DIR)/lib/$(shell $(CC) -print-multiarch) $(DQLITE_DIR)/lib64
libdir := $(firstword $(foreach d,$(libdirs),$(if $(wildcard $d/libdqlite.*),$d)))

comma := ,
node_core.so := build/rock/$(notdir $(LUA_INCDIR))/node_core.so
compile = $(CC) -std=c99 $(CFLAGS) $(LIBFLAG) -Isrc -I$(LUA_INCDIR) -I$(DQLITE_INCDIR) \
  -o $(node_core.so) $(SOURCES) $(if $(libdir),-L$(libdir) -Wl$(comma)-rpath$(comma)$(libdir)) \
  -ldqlite -ldl

.PHONY: node install
node:
	@mkdir -p $(dir $(node_core.so))
	@echo '$(compile)'
	@$(compile) || { echo 'lua-dqlite-node needs libdqlite 1.11.1 or newer: install it' \
	  '(Debian: libdqlite-dev), or say where it is (DQLITE_DIR=/prefix)' >&2; false; }

install:
	mkdir -p '$(LIBDIR)/dqlite'
	cp $(node_core.so) '$(LIBDIR)/dqlite'
