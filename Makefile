# Oxidize. `make help` lists the targets; CONTRIBUTING.md tells which one to use when.
#
# The Swift package is built by SwiftPM. This file builds what SwiftPM does not (liboxcore.a, the sanitized C tests, the
# fuzzers), and puts the two together.

VERSION := 0.1.0

PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
CLANG ?= clang
GCC ?= gcc
SWIFT ?= swift
PYTHON ?= python3
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

.PHONY: deps build test demo bench liboxcore.a install uninstall tidy fuzz clean help FORCE
.PHONY: test-tidy test-c test-ring test-fuzz-corpora test-library test-swift test-consumer test-end-to-end
.PHONY: conformance
.PHONY: install-library install-programs

define heading
@printf '\n==> %s\n' '$(1)'
endef

# A sub-make that uses every core, unless the caller has already chosen with -j.
PARALLEL = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

help: ## print this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  variables: CC CFLAGS PREFIX=$(PREFIX) DESTDIR FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS) DATA"

# ---------------------------------------------------------------------------------------------------- dependencies

# The libraries, what the C build and the tests need, and what the lab and the demo run beside Oxidize.
DEBIAN_PACKAGES := \
	libsodium-dev liblz4-dev libisal-dev liburing-dev libnuma-dev \
	gcc g++ libc6-dev git pkg-config libcmocka-dev perl python3 python3-venv mandoc \
	ethtool iproute2 nftables iputils-ping iperf3 procps libcap2-bin wireguard-go wireguard-tools \
	$(if $(filter x86_64,$(shell uname -m)),libipsec-mb-dev)

deps: ## install the Debian packages that are missing
	@command -v $(SWIFT) >/dev/null || { \
	  echo "deps: no '$(SWIFT)' on the PATH: install Swift 6.3 or newer, then run make again." >&2; exit 1; }
	@command -v $(CLANG) >/dev/null || { \
	  echo "deps: no '$(CLANG)' on the PATH: it comes with the Swift toolchain; add its usr/bin to the PATH," \
	       "or run make CLANG=..." >&2; exit 1; }
	@command -v dpkg-query >/dev/null || { \
	  echo "deps: not a Debian system: install the equivalents of: $(DEBIAN_PACKAGES)" >&2; exit 0; }; \
	present=$$(dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(DEBIAN_PACKAGES) 2>/dev/null \
	  | sed -n 's/^installed //p'); \
	missing=$$(comm -23 <(printf '%s\n' $(DEBIAN_PACKAGES) | sort) <(sort <<<"$$present") | tr '\n' ' '); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
	  echo "deps: these Debian packages are missing: $$missing" >&2; \
	  echo "deps: run: sudo apt-get update && sudo apt-get install -y --no-install-recommends $$missing" >&2; \
	  exit 1; \
	fi; \
	echo "deps: installing $$missing"; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing

# ---------------------------------------------------------------------------------------------------- the programs

# Where oxbench depends on this package, both programs are built there, so that what they share is compiled once.
SWIFT_RELEASE := $(SWIFT) build -c release --static-swift-stdlib --package-path
PACKAGE_oxbench := Benchmarks
PACKAGE_oxidize := $(if $(shell grep -s 'path: "\.\."' Benchmarks/Package.swift),Benchmarks,.)

define build_program
$(SWIFT_RELEASE) $(PACKAGE_$(1)) --product $(1)
@mkdir -p build/bin
@built="$$($(SWIFT_RELEASE) $(PACKAGE_$(1)) --show-bin-path)/$(1)"; \
cmp -s "$$built" build/bin/$(1) || install -m 755 "$$built" build/bin/$(1)
endef

# SwiftPM does not see files that are new in a package it found by path, until something makes it plan again.
define plan_again_for_new_files
@mkdir -p build && find Package.swift Sources CSources include Benchmarks/Package.swift Benchmarks/Sources \
  Benchmarks/CSources -type f | sort > build/sources.now
@cmp -s build/sources.now build/sources || rm -f Benchmarks/.build/release.yaml .build/release.yaml
@mv build/sources.now build/sources
endef

build: deps ## build the release programs into build/bin
	$(call plan_again_for_new_files)
	$(call build_program,oxidize)
	$(call build_program,oxbench)

build/bin/oxidize build/bin/oxbench:
	@$(MAKE) --no-print-directory build

demo: build ## pass real traffic through a tunnel over a bad link, and print a table
	build/bin/oxbench demo

bench: build ## run the quick benchmarks
	build/bin/oxbench wire
	build/bin/oxbench flood
	build/bin/oxbench kernels
	build/bin/oxbench rs
	build/bin/oxbench cc --alone --seeds 1
	build/bin/oxbench tunnel --quick

# ---------------------------------------------------------------------------------------------------- the C library

C_SOURCES := $(sort $(wildcard CSources/*/*.c))
PUBLIC_HEADERS := $(sort $(wildcard include/oxcore/*.h))

# The libraries behind the rooms, as Package.swift declares them.
LIBS := $(addprefix -l,$(sort $(shell sed -n 's/.*libraries: \[\("[^]]*\)\].*/\1/p' Package.swift | tr '",' '  ')))
LIBS += -lpthread

COMMON_FLAGS := -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I include

# One directory of objects for each compiler and each sanitizer, so that none has to be cleaned for another.
CC_NAME := $(subst /,_,$(subst $() ,_,$(strip $(CC))))
COMPILE_$(CC_NAME) := $(CC) $(CFLAGS) -fPIC $(COMMON_FLAGS)

CHECKED_FLAGS := -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -I . $(COMMON_FLAGS)
# The toolchain's own linker: older ones warn about every symbol of its sanitizers.
LINK := -fuse-ld=lld
COMPILE_address := $(CLANG) $(CHECKED_FLAGS) -fsanitize=address,undefined
# gcc, for the thread sanitizer of the Swift toolchain's clang misses relaxed stores that should be releases. It models no
# fences, and says so: what rests on one is tested by lost wake-ups.
COMPILE_thread := $(GCC) $(CHECKED_FLAGS) -fsanitize=thread -Wno-tsan
COMPILE_fuzzer := $(CLANG) $(CHECKED_FLAGS) -fsanitize=fuzzer-no-link,address,undefined

# The C of the benchmarks (the link emulator and the load generators) is tested like that of the rooms.
BENCH_C_SOURCES := $(sort $(filter-out %/main.c,$(wildcard Benchmarks/CSources/*/*.c Benchmarks/Sources/*/*.c)))
BENCH_INCLUDES := -I Benchmarks $(addprefix -I ,$(wildcard Benchmarks/include Benchmarks/CSources/*/include Benchmarks/Sources/*/include))

# A stamp changes when the command or the list of sources that it holds does, and with it what depends on it.
define write_stamp
@mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@
endef

define objects
build/obj/$(1)/flags: FORCE
	$$(call write_stamp,$$(COMPILE_$(1)))
build/obj/$(1)/sources: FORCE
	$$(call write_stamp,$$(C_SOURCES))
build/obj/$(1)/CSources/%.o: CSources/%.c build/obj/$(1)/flags | deps
	@mkdir -p $$(@D)
	@echo '  $(1) $$<'
	@$$(COMPILE_$(1)) -MMD -MP -c $$< -o $$@
build/obj/$(1)/Benchmarks/%.o: Benchmarks/%.c build/obj/$(1)/flags | deps
	@mkdir -p $$(@D)
	@echo '  $(1) $$<'
	@$$(COMPILE_$(1)) $$(BENCH_INCLUDES) -MMD -MP -c $$< -o $$@
OBJECTS_$(1) := $$(patsubst %.c,build/obj/$(1)/%.o,$$(C_SOURCES))
endef
$(foreach variant,$(CC_NAME) address thread fuzzer,$(eval $(call objects,$(variant))))
BENCH_OBJECTS := $(patsubst %.c,build/obj/address/%.o,$(BENCH_C_SOURCES))

# Objects that only pattern rules name would be deleted as intermediate.
.PHONY: objects
objects: $(OBJECTS_address) $(OBJECTS_thread) $(OBJECTS_fuzzer) $(BENCH_OBJECTS)

build/obj/$(CC_NAME)/liboxcore.a: $(OBJECTS_$(CC_NAME)) build/obj/$(CC_NAME)/sources
	@rm -f $@
	@echo '  $(AR) $@'
	@$(AR) qcs $@ $(OBJECTS_$(CC_NAME))

liboxcore.a: build/obj/$(CC_NAME)/liboxcore.a ## build the C library with $CC into build/lib
	@mkdir -p build/lib
	@cmp -s $< build/lib/$@ || cp $< build/lib/$@

build/lib/liboxcore.a:
	@$(MAKE) --no-print-directory liboxcore.a

# ---------------------------------------------------------------------------------------------------- tests

export ASAN_OPTIONS ?= detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= print_stacktrace=1

test: deps ## run everything that CI runs
	$(call heading,Tidy)
	@$(MAKE) --no-print-directory test-tidy
	$(call heading,C tests under AddressSanitizer and UndefinedBehaviorSanitizer)
	@$(PARALLEL) test-c
	$(call heading,Rings under ThreadSanitizer)
	@$(PARALLEL) test-ring
	$(call heading,Fuzz corpora)
	@$(PARALLEL) test-fuzz-corpora
	$(call heading,The C library with two compilers)
	@$(MAKE) --no-print-directory test-library
	$(call heading,Swift tests)
	@$(MAKE) --no-print-directory test-swift
	$(call heading,A package that depends on this one)
	@$(MAKE) --no-print-directory test-consumer
	$(call heading,End to end)
	@$(MAKE) --no-print-directory test-end-to-end

# The captures are not part of the project: a folder of them is named by DATA.
build/conformance: $(wildcard Tests/Conformance/*) $(OBJECTS_address) | deps
	@$(COMPILE_address) $(wildcard Tests/Conformance/*.c) $(OBJECTS_address) $(LINK) $(LIBS) -o $@

conformance: ## decompress the reference captures of DATA=DIR, and print counts per profile
	@if [ -z "$(DATA)" ]; then echo "conformance: SKIP: no captures; name their folder: make conformance DATA=DIR"; exit 0; fi; \
	if [ ! -d "$(DATA)" ]; then \
	  echo "conformance: '$(DATA)' is no folder: name the one that the captures are in" >&2; exit 1; \
	fi; \
	$(MAKE) --no-print-directory build/conformance && build/conformance "$(DATA)" all

# Runs every program of $(1), goes on after a failure, and fails in the end with the list of those that failed.
define run_all
@failed=; ran=0; \
for program in $(1); do \
  ran=$$((ran + 1)); echo "-- $$program"; "$$program" || failed="$$failed $$program"; \
done; \
echo "$@: $$ran programs"; \
[ -z "$$failed" ] || { echo "$@: failed:$$failed" >&2; exit 1; }
endef

tidy: ## check the arrows between rooms, names, lengths and bans
	@$(PYTHON) Tests/Tidy/tidy.py

test-tidy:
	@$(PYTHON) Tests/Tidy/tidy.py --self-test
	@$(PYTHON) Tests/Tidy/tidy.py
	@mandoc -T lint -W warning share/man/*

C_TESTS := $(patsubst Tests/C/%.c,build/tests/%,$(sort $(wildcard Tests/C/*/*_test.c)))
BENCH_C_TESTS := $(patsubst Benchmarks/Tests/C/%.c,build/tests/Benchmarks/%,$(sort $(wildcard Benchmarks/Tests/C/*_test.c Benchmarks/Tests/C/*/*_test.c)))
RING_TESTS := $(patsubst Tests/C/%.c,build/thread-tests/%,$(sort $(wildcard Tests/C/*/*ring*_test.c Tests/C/COxPacket/pool_home_test.c \
    Tests/C/COxWorker/handoff_test.c)))

test-c: $(C_TESTS) $(BENCH_C_TESTS) ## C tests under ASan and UBSan
	$(call run_all,$(C_TESTS) $(BENCH_C_TESTS))

test-ring: $(RING_TESTS) ## tests of rings, and of what workers exchange, under TSan
	$(call run_all,$(RING_TESTS))

# ISA-L is what the erasure code's tests, and its benchmark, compare it with; the library itself does without.
build/tests/%: Tests/C/%.c $(OBJECTS_address) build/obj/address/sources
	@mkdir -p $(@D)
	@echo '  address $<'
	@$(COMPILE_address) -MMD -MP -MF $@.d $< $(OBJECTS_address) $(LINK) $(LIBS) -lcmocka -lisal -o $@

build/tests/Benchmarks/%: Benchmarks/Tests/C/%.c $(BENCH_OBJECTS) $(OBJECTS_address) build/obj/address/sources
	@mkdir -p $(@D)
	@echo '  address $<'
	@$(COMPILE_address) $(BENCH_INCLUDES) -MMD -MP -MF $@.d $< $(BENCH_OBJECTS) $(OBJECTS_address) $(LINK) $(LIBS) -lcmocka -lisal -lm -o $@

build/thread-tests/%: Tests/C/%.c $(OBJECTS_thread) build/obj/thread/sources
	@mkdir -p $(@D)
	@echo '  thread $<'
	@$(COMPILE_thread) -MMD -MP -MF $@.d $< $(OBJECTS_thread) $(LIBS) -lcmocka -o $@

# ---------------------------------------------------------------------------------------------------- fuzzing

FUZZ_NAMES := $(patsubst Tests/Fuzz/%_fuzz.c,%,$(sort $(wildcard Tests/Fuzz/*_fuzz.c)))
FUZZERS := $(addprefix build/fuzz/bin/,$(FUZZ_NAMES))

build/fuzz/bin/%: Tests/Fuzz/%_fuzz.c $(OBJECTS_fuzzer) build/obj/fuzzer/sources
	@mkdir -p $(@D)
	@echo '  fuzzer $<'
	@$(COMPILE_fuzzer) -fsanitize=fuzzer -MMD -MP -MF $@.d $< $(OBJECTS_fuzzer) $(LINK) $(LIBS) -o $@

test-fuzz-corpora: $(FUZZERS) ## replay every committed fuzz input once
	@passed=0; failed=0; \
	for name in $(FUZZ_NAMES); do \
	  corpus=Tests/Fuzz/corpus/$$name; mkdir -p build/fuzz/$$name; \
	  count=$$(find $$corpus -type f 2>/dev/null | wc -l); \
	  if [ $$count -eq 0 ]; then \
	    echo "$$name: no corpus in $$corpus: commit a dozen inputs there" >&2; failed=$$((failed + 1)); \
	  elif build/fuzz/bin/$$name -runs=0 -artifact_prefix=build/fuzz/$$name- $$corpus >build/fuzz/$$name.log 2>&1; then \
	    echo "$$name: $$count inputs replayed"; passed=$$((passed + 1)); \
	  else \
	    cat build/fuzz/$$name.log; failed=$$((failed + 1)); \
	  fi; \
	done; \
	echo "$$passed passed, $$failed failed"; [ $$failed -eq 0 ]

# The configuration is Swift: its test takes the seconds, and its package a sanitizer and so a directory of its own.
SWIFT_FUZZ := $(SWIFT) test --scratch-path .build/address --sanitize=address -Xswiftc -use-ld=lld --disable-xctest --filter ConfigurationFuzz

fuzz: $(FUZZERS) ## fuzz every target for FUZZ_SECONDS seconds each
	@failed=; \
	for name in $(FUZZ_NAMES); do \
	  mkdir -p build/fuzz/$$name build/fuzz/found; \
	  echo "-- $$name: $(FUZZ_SECONDS) s"; \
	  build/fuzz/bin/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/found/$$name- build/fuzz/$$name Tests/Fuzz/corpus/$$name \
	    >build/fuzz/$$name.log 2>&1 && grep -E '^(Done|stat::number_of_executed)' build/fuzz/$$name.log \
	    || { tail -n 60 build/fuzz/$$name.log; failed="$$failed $$name"; }; \
	done; \
	[ -z "$$failed" ] || { \
	  echo "fuzz: failed:$$failed" >&2; \
	  grep -h 'Test unit written to' $$(printf 'build/fuzz/%s.log ' $$failed) \
	    | sed 's/.*written to /fuzz: reproducer: /' >&2; \
	  echo "fuzz: replay with build/fuzz/bin/NAME REPRODUCER; commit it to Tests/Fuzz/corpus/NAME with the fix" >&2; \
	  exit 1; }
	@echo "-- configuration: $(FUZZ_SECONDS) s"
	ASAN_OPTIONS=detect_leaks=0 OX_FUZZ_SECONDS=$(FUZZ_SECONDS) OX_FUZZ_SEED=$$RANDOM $(SWIFT_FUZZ)

# ---------------------------------------------------------------------------------------------------- library, Swift, end to end

test-library: deps ## build liboxcore.a with clang and gcc, link C and C++ programs through pkg-config, uninstall
	@for compiler in $(CLANG) $(GCC); do \
	  stage=$(CURDIR)/build/stage/$${compiler##*/}; rm -rf "$$stage"; \
	  $(PARALLEL) liboxcore.a CC=$$compiler && \
	  $(MAKE) --no-print-directory install-library CC=$$compiler DESTDIR="$$stage" PREFIX=/opt/oxidize && \
	  flags=$$(PKG_CONFIG_PATH="$$stage/opt/oxidize/lib/pkgconfig" pkg-config --static --cflags --libs \
	    --define-variable=prefix="$$stage/opt/oxidize" oxcore) && \
	  $$compiler -std=c17 -Wall -Wextra -Werror Tests/C/Library/consumer.c $$flags -o "$$stage/consumer" && \
	  "$$stage/consumer" && rm "$$stage/consumer" && \
	  $$compiler -std=c++17 -Wall -Wextra -Werror Tests/C/Library/consumer.cpp $$flags -o "$$stage/consumer" && \
	  "$$stage/consumer" && rm "$$stage/consumer" && \
	  $(MAKE) --no-print-directory uninstall DESTDIR="$$stage" PREFIX=/opt/oxidize && \
	  left=$$(find "$$stage" -mindepth 1) && \
	  if [ -n "$$left" ]; then echo "test-library: uninstall left: $$left" >&2; exit 1; fi || \
	  { echo "test-library: failed with $$compiler" >&2; exit 1; }; \
	  echo "test-library: $$compiler: built, linked, ran, uninstalled"; \
	done
	@prefix=$(CURDIR)/build/stage/prefix; rm -rf "$$prefix"; mkdir -p "$$prefix/lib"; \
	$(MAKE) --no-print-directory install-library DESTDIR= PREFIX="$$prefix" && \
	$(MAKE) --no-print-directory uninstall DESTDIR= PREFIX="$$prefix" && \
	left=$$(cd "$$prefix" && find . -mindepth 1) && \
	if [ "$$left" != ./lib ]; then echo "test-library: of lib alone, uninstall left: $$left" >&2; exit 1; fi
	@echo "3 passed, 0 failed"

test-swift: deps ## swift test
	$(SWIFT) test --disable-xctest

test-consumer: deps ## build a throw-away package that depends on this one by git URL
	@prove -v Tests/Consumer/consumer.t

END_TO_END := $(sort $(wildcard Tests/EndToEnd/*.t Benchmarks/Tests/*.t))
test-end-to-end: build ## run the installed programs in network namespaces
	@$(if $(END_TO_END),prove $(END_TO_END),echo "no end-to-end test here")

# ---------------------------------------------------------------------------------------------------- installation

BIN_DIR := $(PREFIX)/bin
INCLUDE_DIR := $(PREFIX)/include/oxcore
LIB_DIR := $(PREFIX)/lib
PKGCONFIG_DIR := $(PREFIX)/lib/pkgconfig
SYSTEMD_DIR := $(PREFIX)/lib/systemd/system
MAN_DIR := $(PREFIX)/share/man
BASH_DIR := $(PREFIX)/share/bash-completion/completions
ZSH_DIR := $(PREFIX)/share/zsh/site-functions
FISH_DIR := $(PREFIX)/share/fish/vendor_completions.d
# Where the programs and the units look, whatever the prefix.
CONFIGURATION_DIR := /etc/oxidize
# The directories that install made, so that uninstall takes no other away. Within a DESTDIR all are its own.
DIRECTORY_LIST := $(PREFIX)/share/oxidize/directories

PROGRAMS := oxidize oxbench
UNITS := $(notdir $(wildcard share/systemd/*.service))
MAN_PAGES := $(notdir $(wildcard share/man/*.[1-8]))

LIBRARY_FILES := \
	$(LIB_DIR)/liboxcore.a \
	$(PKGCONFIG_DIR)/oxcore.pc \
	$(addprefix $(INCLUDE_DIR)/,$(notdir $(PUBLIC_HEADERS)))
MAN_FILES := $(foreach page,$(MAN_PAGES),$(MAN_DIR)/man$(patsubst .%,%,$(suffix $(page)))/$(page))
PROGRAM_FILES := \
	$(addprefix $(BIN_DIR)/,$(PROGRAMS)) \
	$(addprefix $(SYSTEMD_DIR)/,$(UNITS)) \
	$(MAN_FILES) \
	$(addprefix $(BASH_DIR)/,$(PROGRAMS)) \
	$(addprefix $(ZSH_DIR)/_,$(PROGRAMS)) \
	$(addsuffix .fish,$(addprefix $(FISH_DIR)/,$(PROGRAMS)))

FILL_IN := sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@LIBS@|$(LIBS)|g'

define make_directories
@made=$$(for directory in $(dir $(DIRECTORY_LIST)) $(1); do \
  missing=$${directory%/}; \
  until [ -n "$(DESTDIR)" ] || [ -d "$$missing" ]; do echo "$$missing"; missing=$$(dirname "$$missing"); done; \
  install -d "$(DESTDIR)$$directory" || exit 1; \
done) && { [ -z "$$made" ] || printf '%s\n' "$$made" >>$(DIRECTORY_LIST); }
endef

# Programs that are there are installed as they are, so that `sudo make install` does not build as root.
install: install-library install-programs ## install under $DESTDIR$PREFIX

install-library: build/lib/liboxcore.a
	$(call make_directories,$(LIB_DIR) $(PKGCONFIG_DIR) $(INCLUDE_DIR))
	@install -m 644 build/lib/liboxcore.a $(DESTDIR)$(LIB_DIR)
	@install -m 644 $(PUBLIC_HEADERS) $(DESTDIR)$(INCLUDE_DIR)
	@$(FILL_IN) share/pkgconfig/oxcore.pc.in >$(DESTDIR)$(PKGCONFIG_DIR)/oxcore.pc
	@chmod 644 $(DESTDIR)$(PKGCONFIG_DIR)/oxcore.pc

install-programs: build/bin/oxidize build/bin/oxbench
	$(call make_directories,$(BIN_DIR) $(SYSTEMD_DIR) $(BASH_DIR) $(ZSH_DIR) $(FISH_DIR) $(sort $(dir $(MAN_FILES))))
	@[ -d "$(DESTDIR)$(CONFIGURATION_DIR)" ] || { \
	  install -d -m 750 "$(DESTDIR)$(CONFIGURATION_DIR)" && \
	  { [ -n "$(DESTDIR)" ] || echo $(CONFIGURATION_DIR) >>$(DIRECTORY_LIST); }; \
	} || echo "install: all but $(CONFIGURATION_DIR) is there, for the configurations: root can make it" >&2
	@install -m 755 $(addprefix build/bin/,$(PROGRAMS)) $(DESTDIR)$(BIN_DIR)
	@for unit in $(UNITS); do \
	  $(FILL_IN) share/systemd/$$unit >$(DESTDIR)$(SYSTEMD_DIR)/$$unit && chmod 644 $(DESTDIR)$(SYSTEMD_DIR)/$$unit || exit 1; \
	done
	@for page in $(MAN_PAGES); do \
	  install -m 644 share/man/$$page $(DESTDIR)$(MAN_DIR)/man$${page##*.}/$$page || exit 1; \
	done
	@set -e; for program in $(PROGRAMS); do \
	  build/bin/$$program --generate-completion-script bash >$(DESTDIR)$(BASH_DIR)/$$program; \
	  build/bin/$$program --generate-completion-script zsh >$(DESTDIR)$(ZSH_DIR)/_$$program; \
	  build/bin/$$program --generate-completion-script fish >$(DESTDIR)$(FISH_DIR)/$$program.fish; \
	  chmod 644 $(DESTDIR)$(BASH_DIR)/$$program $(DESTDIR)$(ZSH_DIR)/_$$program $(DESTDIR)$(FISH_DIR)/$$program.fish; \
	done

# Only directories that are empty go, and outside of a DESTDIR only those that install made.
uninstall: ## remove what install put there
	@rm -f $(addprefix $(DESTDIR),$(LIBRARY_FILES) $(PROGRAM_FILES))
	@if [ -n "$(DESTDIR)" ]; then \
	  for directory in $(sort $(dir $(LIBRARY_FILES) $(PROGRAM_FILES) $(DIRECTORY_LIST))) $(CONFIGURATION_DIR); do \
	    [ ! -d "$(DESTDIR)$$directory" ] || \
	      (cd "$(DESTDIR)" && rmdir -p --ignore-fail-on-non-empty ".$$directory" 2>/dev/null) || true; \
	  done; \
	elif [ -f $(DIRECTORY_LIST) ]; then \
	  made=$$(sort -ru $(DIRECTORY_LIST)); rm -f $(DIRECTORY_LIST); \
	  while read -r directory; do \
	    [ ! -d "$$directory" ] || rmdir --ignore-fail-on-non-empty "$$directory" || true; \
	  done <<<"$$made"; \
	fi

clean: ## remove everything that was built
	rm -rf build .build Benchmarks/.build

-include $(wildcard build/obj/*/CSources/*/*.d build/obj/*/Benchmarks/*/*/*.d build/tests/*/*.d build/tests/*/*/*.d build/thread-tests/*/*.d build/fuzz/bin/*.d)
