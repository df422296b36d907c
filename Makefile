# SPDX-License-Identifier: GPL-2.0-or-later
# weir: networks for containers and network namespaces. `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
PYTHON ?= /usr/bin/python3

PACKAGES := libmnl libnftnl libip4tc libip6tc libnetfilter_conntrack libnl-3.0 libnl-route-3.0 sqlite3 libfyaml jansson
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wvla $(if $(WERROR),-Werror)
FLAGS = -std=gnu17 -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' -I. $(WARNINGS) $(CFLAGS) \
	-MMD -MP -ffunction-sections -fdata-sections -fno-strict-overflow \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
# A command lives for 3 ms, and linking SQLite anew each time would take 0.5 of them: what is installed
# as an archive too is linked into the program. ARCHIVES= : everything stays shared.
ARCHIVES ?= sqlite3 nftnl nl-3 nl-route-3 fyaml jansson
archive = $(filter /%,$(shell $(CC) -print-file-name=$(patsubst -l%,lib%.a,$(1))))
LIBS = $(foreach lib,$(shell pkg-config --libs $(PACKAGES) 2>/dev/null),$(or \
	$(if $(filter $(ARCHIVES:%=-l%),$(lib)),$(call archive,$(lib))),$(lib))) -lm
LINK = $(CC) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -Wl,--gc-sections -Wl,--as-needed $(LDFLAGS)

# One short line a step; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)

# A sanitized build lives beside the plain one.
BUILD := build$(if $(SAN),/san)
sources = $(wildcard $(1)/*.c $(1)/*/*.c)
LIB_SRC := $(call sources,core) $(call sources,policy) $(call sources,backends)
CLI_SRC := $(wildcard cli/*.c)
UNIT_SRC := $(wildcard vmtests/unit/test_*.c)
FUZZ_SRC := $(wildcard vmtests/fuzz/fuzz_*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
UNIT_BIN := $(patsubst vmtests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
FUZZ_BIN := $(patsubst vmtests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))

.PHONY: all weir help demo check unit behaviour-tests behaviours golden bench format lint install vmtest vm \
	uninstall clean test-programs behaviour-programs

all: weir ## build build/weir (the default)

weir: $(BUILD)/weir

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' Makefile
	@echo "Variables: SAN=address,undefined  WERROR=1  PREFIX=$(PREFIX)  DESTDIR=  CC=$(CC)"

$(BUILD)/weir: $(call obj,$(CLI_SRC)) $(LIB_OBJ)
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(FLAGS) -c -o $@ $<

# Rebuilds everything when the flags change.
$(BUILD)/flags: FORCE
	@pkg-config --exists $(PACKAGES) 2>/dev/null || \
		{ echo 'make: libraries are missing; as root: ci/deps build run' >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(CC) $(FLAGS)' | cmp -s - $@ || echo '$(CC) $(FLAGS)' > $@
FORCE:

$(BUILD)/unit/%: $(BUILD)/vmtests/unit/%.o $(LIB_OBJ)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIBS) -lcmocka

# A replay of the corpus; `CC=clang FUZZ=1 SAN=fuzzer,…` makes it a libFuzzer program (HACKING.md).
$(BUILD)/fuzz/%: $(BUILD)/vmtests/fuzz/%.o $(if $(FUZZ),,$(BUILD)/vmtests/fuzz/replay.o) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIBS)

# What the behaviour suite runs beside weir; never sanitized.
build/vmtests/probe: $(wildcard vmtests/net/*.c vmtests/net/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARNINGS) -o $@ $(filter %.c,$^)

build/libweirfault.so: vmtests/fault/weirfault.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARNINGS) -fPIC -shared -o $@ $< -ldl

build/vmtests/exchange: $(wildcard vmtests/differential/exchange.c vmtests/differential/packet.*)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARNINGS) -o $@ $(filter %.c,$^)

$(BUILD)/vmtests/evaluate: $(BUILD)/vmtests/differential/evaluate.o $(LIB_OBJ)
	$(call say,LD)
	$(Q)$(LINK) -o $@ $^ $(LIBS)

# PID 1 of a throwaway machine: static, since it starts before anything else is there.
build/vmtests/agent: $(wildcard vmtests/vm/agent/*.c vmtests/vm/agent/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -static $(WARNINGS) -o $@ $(filter %.c,$^)

test-programs: $(UNIT_BIN) $(FUZZ_BIN)

behaviour-programs: build/vmtests/probe build/vmtests/exchange $(BUILD)/vmtests/evaluate build/libweirfault.so

demo: ## install what is missing, build, bring a published network up, fetch its page, take it down
	@ci/deps build run
	@$(MAKE) --no-print-directory weir
	@ci/demo $(BUILD)/weir

check: ## install what is missing, build and test (CI=1: with sanitizers, faults, and on other kernels)
	@ci/deps build run check
	@ci/check

vmtest: ## the behaviours on other kernels, in QEMU (KERNEL=6.12,5.10 BACKEND=iptables K=publish)
	@ci/deps build check vm
	@$(MAKE) --no-print-directory weir behaviour-programs build/vmtests/agent
	@KERNEL="$(KERNEL)" BACKEND="$(BACKEND)" K="$(K)" SLICE="$(SLICE)" ci/vmtest

vm: ## a shell in a throwaway machine of another kernel, with weir in it (KERNEL=6.12)
	@ci/deps build vm
	@$(MAKE) --no-print-directory weir build/vmtests/agent build/vmtests/probe
	@$(PYTHON) vmtests/vm/shell.py $(KERNEL)

behaviours: ## which behaviour is shown by which test, and when it last passed
	@$(PYTHON) ci/behaviours

golden: ## rewrite the golden files and show what changed
	@ci/golden

bench: ## ratios of weir to its floor and to other tools, from one run
	@ci/deps build run bench
	@$(MAKE) --no-print-directory weir
	@ci/bench

format: ## format the C sources in place
	clang-format -i $(shell git ls-files '*.c' '*.h')

lint: ## arrows between rooms, headers, symbols, static analysis, scripts, man pages
	@ci/deps build check lint
	@ci/lint

BASH_COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_COMPLETION = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system

install: $(BUILD)/weir ## install weir, its man pages, unit and completions below DESTDIR/PREFIX
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/sbin/weir
	install -m 644 cli/man/weir.8 $(DESTDIR)$(PREFIX)/share/man/man8/weir.8
	install -m 644 cli/man/weir.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/weir.yaml.5
	install -d $(BASH_COMPLETION) $(ZSH_COMPLETION)
	$(BUILD)/weir completion bash > $(BASH_COMPLETION)/weir
	$(BUILD)/weir completion zsh > $(ZSH_COMPLETION)/_weir
	install -d $(UNITS)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' cli/weir-restore.service.in > $(UNITS)/weir-restore.service
	chmod 644 $(BASH_COMPLETION)/weir $(ZSH_COMPLETION)/_weir $(UNITS)/weir-restore.service

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/weir $(DESTDIR)$(PREFIX)/share/man/man8/weir.8 \
		$(DESTDIR)$(PREFIX)/share/man/man5/weir.yaml.5 $(BASH_COMPLETION)/weir $(ZSH_COMPLETION)/_weir \
		$(UNITS)/weir-restore.service

clean: ## remove build/
	rm -rf build

-include $(patsubst %.o,%.d,$(call obj,$(LIB_SRC) $(CLI_SRC) $(UNIT_SRC) $(FUZZ_SRC) \
	vmtests/differential/evaluate.c))
