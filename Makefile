# SPDX-License-Identifier: Apache-2.0
# Everything is built under .output/. `make help` lists what there is to make.

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
arch     = $(subst aarch64,arm64,$(subst amd64,x86,$(subst x86_64,x86,$(1))))
HOST    := $(call arch,$(shell uname -m))
ARCH    := $(HOST)
override ARCH := $(or $(call arch,$(ARCH)),$(HOST))
FOREIGN := $(filter-out $(HOST),$(ARCH))
STATIC  := $(if $(FOREIGN),1)
override STATIC := $(filter 1,$(STATIC))
OUT     := .output$(if $(STATIC),/static-$(ARCH),$(FOREIGN:%=/%))
JOBS    := $(shell nproc)
SUDO    := $(if $(filter-out 0,$(shell id -u)),sudo)

# Debian packages; on another distribution `make` names them and stops.
PACKAGES_LIBRARIES := libbpf-dev libelf-dev zlib1g-dev libjansson-dev libmicrohttpd-dev nettle-dev libcurl4-openssl-dev
PACKAGES_BUILD = gcc make pkg-config clang llvm bpftool $(addsuffix $(OF_ARCH),$(PACKAGES_LIBRARIES)) \
		  $(if $(STATIC),python3 dpkg-dev) $(if $(CROSS),$(PACKAGES_CROSS_$(ARCH)))
OF_ARCH = $(if $(STATIC),,$(FOREIGN:%=:$(DEBIAN_$(ARCH))))
PACKAGES_CROSS_x86   := gcc-x86-64-linux-gnu libc6-dev-amd64-cross
PACKAGES_CROSS_arm64 := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
PACKAGES_KERNELS = $(PACKAGES_BUILD) $(PACKAGES_CROSS_arm64) python3 dpkg-dev cpio $(QEMU_x86) $(QEMU_arm64)
QEMU_x86   := qemu-system-x86
QEMU_arm64 := qemu-system-arm
PACKAGES_CHECK = $(PACKAGES_BUILD) libcmocka-dev clang-format clang-tidy cppcheck shellcheck curl wrk \
		  nginx-light nodejs node-ws prometheus chromium python3 python3-fastapi python3-uvicorn \
		  python3-websockets python3-wsproto python3-httpx gunicorn apache2-bin util-linux \
		  libclang-rt-dev iproute2 nftables jq prometheus-alertmanager python3-yaml yamllint \
		  buildah runc systemd dpkg-dev lintian openssl qemu-user cpio $(QEMU_$(HOST)) \
		  $(PACKAGES_CROSS_$(filter-out $(HOST),x86 arm64))
PACKAGES_DEMO  = $(PACKAGES_BUILD) iproute2 openssl prometheus prometheus-alertmanager python3 \
		  python3-fastapi python3-uvicorn python3-websockets python3-httpx python3-yaml

DEBIAN_x86   := amd64
DEBIAN_arm64 := arm64
CROSS_x86   := x86_64-linux-gnu-
CROSS_arm64 := aarch64-linux-gnu-
CROSS    := $(if $(FOREIGN),$(CROSS_$(ARCH)))
CC       := $(CROSS)gcc
CLANG    := clang
PYTHON   := /usr/bin/python3
CFLAGS   ?= -O2 -g -flto=auto
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes
INCLUDES := -Iuser -Ibpf -isystem $(OUT)
CPPFLAGS += -D_GNU_SOURCE $(INCLUDES)
LIBRARIES := .output/libraries-$(ARCH)
ifeq ($(STATIC),1)
CPPFLAGS += -isystem $(LIBRARIES)/include
LDFLAGS  += -static -L$(LIBRARIES)/lib
LIBRARIES_MADE := $(LIBRARIES)/made
CURL     := 0
endif
LDLIBS   := -lbpf -lelf -lz -ljansson -lmicrohttpd -lnettle

# libcurl is for --kube=api alone: TLS to the API server. It is left out where it is missing, and by CURL=0.
PKG_CONFIG := $(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/$(CROSS:-=)/pkgconfig )pkg-config
CURL     ?= $(shell $(PKG_CONFIG) --exists libcurl && echo 1 || echo 0)
ifeq ($(CURL),0)
NOT_BUILT := user/who/api.c
else
NOT_BUILT := user/who/api_none.c
LDLIBS   += -lcurl -lpthread
endif

BPFFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Ivmlinux -Ibpf \
	    -Wall -Wextra -Werror -Wno-unused-parameter
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

BPF_SRC  := $(wildcard bpf/*.bpf.c)
BPF_OBJ  := $(BPF_SRC:bpf/%.c=$(OUT)/bpf/%.o)
OLD_OBJ  := $(BPF_SRC:bpf/%.c=$(OUT)/bpf/old/%.o)
SKELETON := $(OUT)/sonde.skel.h $(OUT)/sonde_old.skel.h
SRC      := $(filter-out $(NOT_BUILT),$(wildcard user/*.c user/*/*.c))
OBJ      := $(SRC:%.c=$(OUT)/%.o)
SAN_OBJ  := $(patsubst %.c,$(OUT)/san/%.o,$(filter-out user/main.c,$(SRC)))
FUZZ_OBJ := $(patsubst %.c,$(OUT)/fuzz/%.o,$(filter-out user/main.c,$(SRC)))
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ     := $(patsubst tests/%.c,$(OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS    := $(patsubst %.c,$(OUT)/tests/%,$(notdir $(wildcard tests/live/*.c tests/bench/*.c)))
TOOL_LIBS   := -ljansson -lpthread
GUEST_TOOLS := $(addprefix $(OUT)/tests/,crowd crowd_server frames loop syscalls programs steady sonde_budget)

# What is compiled depends on how: $(OUT)/flags and $(OUT)/version change when these texts do.
flags     = $(CC) $(CLANG) $(CFLAGS) $(WARNINGS) $(CPPFLAGS) $(LDFLAGS) $(LDLIBS) $(BPFFLAGS) $(SANITIZE)
version   = -DSONDE_VERSION='"$(VERSION)"'
VERSIONED := $(patsubst %.c,%.o,$(shell grep -l SONDE_VERSION $(SRC)))

ifneq ($(V),1)
Q   := @
say  = @printf '  %-8s %s\n' '$(1)' '$(2)';
endif

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: always help run demo build install packages-build packages-check packages-demo packages-kernels check lint unit live deploy kernels kernels-short libraries guests rules bench soak fuzz vmlinux clean

help:
	@echo 'make run      install what is missing, build, run the agent on this machine (asks for root)'
	@echo 'make demo     install what is missing, build, run five services under load with Prometheus and alerts'
	@echo 'make check    install what is missing, build, run all tests'
	@echo 'make build    only build: $(OUT)/sonde'
	@echo 'make install  into $$DESTDIR$$PREFIX (now $(DESTDIR)$(PREFIX))'
	@echo 'make lint     format, clang-tidy, cppcheck, shellcheck, arrows'
	@echo 'make unit     unit and replay tests;  make live  tests on real traffic (root)'
	@echo 'make deploy   the files of deploy/ through the tools that they are for (root)'
	@echo 'make kernels  the agent in kernels of Debian under emulation, a table; KERNELS="x86:6.12 arm64:newest"'
	@echo 'make rules    takes the rules of HTTP/1 and I/O out one by one: does a test fail? (root) RULES="CONNECT recvmsg"'
	@echo 'make bench    what the agent costs: paired runs without and with it (root)'
	@echo 'make soak     20 minutes of churn, overload and kills (root); SECONDS=120 for less'
	@echo 'make fuzz     inputs that nobody thought of, a minute a target; SECONDS=600 for more'
	@echo 'make vmlinux  renew vmlinux/ from a kernel (BTF=FILE ARCH=x86|arm64)'
	@echo 'make clean    V=1 shows commands; STATIC=1 links statically; ARCH=x86|arm64 compiles for another machine'

run: packages-build
	@$(MAKE) --no-print-directory -j$(JOBS) build >&2
	@exec $(SUDO) $(OUT)/sonde $(ARGS)

demo: packages-demo
	@$(MAKE) --no-print-directory -j$(JOBS) build >&2
	@exec $(SUDO) deploy/demo/run $(ARGS)

build: $(OUT)/sonde

check: packages-check
	@$(MAKE) --no-print-directory -j$(JOBS) build $(UNIT) $(TOOLS)
	@$(MAKE) --no-print-directory -k lint unit live deploy kernels-short

packages-build packages-check packages-demo packages-kernels: packages-%:
	@tests/packages.sh $(PACKAGES_$(shell echo $* | tr a-z A-Z))

$(OUT)/sonde: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(OBJ) $(SAN_OBJ) $(FUZZ_OBJ) $(BPF_OBJ) $(OLD_OBJ) $(UNIT) $(FUZZ) $(TOOLS) $(GUEST_TOOLS): $(OUT)/flags
$(VERSIONED:%=$(OUT)/%) $(VERSIONED:%=$(OUT)/san/%) $(VERSIONED:%=$(OUT)/fuzz/%): $(OUT)/version

$(OUT)/flags $(OUT)/version: $(OUT)/%: always $(filter clean,$(MAKECMDGOALS))
	$(Q)mkdir -p $(@D)
	$(Q)text='$(subst ','\'',$($*))'; [ "$$text" = "$$(cat $@ 2>/dev/null)" ] || echo "$$text" > $@

$(LIBRARIES)/made: tests/kernels/libraries.py
	$(call say,LIBS,$(@D))
	$(Q)$(PYTHON) $< $(ARCH) $(@D) && touch $@

$(OUT)/user/%.o: user/%.c | $(SKELETON) $(LIBRARIES_MADE)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(CPPFLAGS) $(version) -MD -MP -c $< -o $@

define compile_bpf
$(call say,BPF,$<)
$(Q)mkdir -p $(@D)
$(Q)$(CLANG) $(BPFFLAGS) $(1) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@.tmp && llvm-strip -g $@.tmp && mv $@.tmp $@
endef

$(OUT)/bpf/%.o: bpf/%.c
	$(call compile_bpf)

# Once more for older verifiers, see bpf/old.bpf.h.
$(OUT)/bpf/old/%.o: bpf/%.c
	$(call compile_bpf,-DOLD_VERIFIER)

$(OUT)/sonde.bpf: $(BPF_OBJ)
$(OUT)/sonde_old.bpf: $(OLD_OBJ)
$(OUT)/sonde.bpf $(OUT)/sonde_old.bpf:
	$(call say,BPFLINK,$@)
	$(Q)bpftool gen object $@ $^

$(SKELETON): $(OUT)/%.skel.h: $(OUT)/%.bpf
	$(call say,SKEL,$@)
	$(Q){ echo '/* NOLINTBEGIN */'; bpftool gen skeleton $< name $*; echo '/* NOLINTEND */'; } > $@

# Not rebuilt by root, who may have other flags and be refused the repository's version.
install: $(if $(wildcard $(OUT)/sonde),,build)
	$(Q)install -D -m 755 $(OUT)/sonde $(DESTDIR)$(PREFIX)/bin/sonde

# Tests

$(OUT)/san/user/%.o: user/%.c | $(SKELETON)
	$(call say,CC-SAN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(SANITIZE) $(WARNINGS) $(CPPFLAGS) $(version) -MD -MP -c $< -o $@

$(OUT)/san/libsonde.a: $(SAN_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OUT)/unit/%: tests/unit/%.c $(OUT)/san/libsonde.a
	$(call say,UNIT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(SANITIZE) $(WARNINGS) $(CPPFLAGS) -MD -MP $< $(OUT)/san/libsonde.a $(LDLIBS) -lcmocka -o $@

$(OUT)/tests/%: tests/*/%.c | $(LIBRARIES_MADE)
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(CPPFLAGS) $(LDFLAGS) -MD -MP $< $(TOOL_LIBS) -o $@

$(OUT)/tests/programs: TOOL_LIBS := -lbpf -lelf -lz

# The agent as it is, but for one function of libbpf.
$(OUT)/tests/sonde_budget: tests/kernels/budget.c $(OBJ)
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(CPPFLAGS) $(LDFLAGS) -Wl,--wrap=bpf_prog_load -MD -MP $(filter %.c %.o,$^) $(LDLIBS) -o $@

# The one tool that is made of the agent's own parts.
$(OUT)/tests/writer: tests/bench/writer.c $(filter-out $(OUT)/user/main.o,$(OBJ))
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) $(CPPFLAGS) -MD -MP $(filter %.c %.o,$^) $(LDLIBS) -o $@

$(OUT)/fuzz/user/%.o: user/%.c | $(SKELETON)
	$(call say,CC-FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -std=gnu11 $(SANITIZE) -fsanitize=fuzzer-no-link $(WARNINGS) $(CPPFLAGS) $(version) -MD -MP -c $< -o $@

$(OUT)/fuzz/libsonde.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(FUZZ): $(OUT)/fuzz/%: tests/fuzz/%.c tests/fuzz/corpus.c $(OUT)/fuzz/libsonde.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -std=gnu11 $(SANITIZE) -fsanitize=fuzzer-no-link $(WARNINGS) $(CPPFLAGS) $< tests/fuzz/corpus.c $(OUT)/fuzz/libsonde.a $(LDLIBS) -o $@-corpus
	$(Q)$(CLANG) -std=gnu11 $(SANITIZE) -fsanitize=fuzzer $(WARNINGS) $(CPPFLAGS) -MD -MP -MF $@.d $< $(OUT)/fuzz/libsonde.a $(LDLIBS) -o $@

unit: $(UNIT)
	@tests/unit/run $(UNIT)

lint: $(SKELETON)
	@tests/lint.sh

live: build $(TOOLS)
	@$(SUDO) env REQUIRE_LIVE=$(REQUIRE_LIVE) tests/live/run

deploy: build $(TOOLS)
	@$(SUDO) env REQUIRE_LIVE=$(REQUIRE_LIVE) tests/deploy/run

# All there is to run in a guest, for one architecture.
guests: build $(GUEST_TOOLS)

kernels: packages-kernels
	@for arch in x86 arm64; do case '$(KERNELS) ' in *$$arch:*|' ') \
		$(MAKE) --no-print-directory -j$(JOBS) STATIC=1 ARCH=$$arch guests || exit;; esac; done
	@tests/kernels/run $(KERNELS)

# Two of them, on one backend each; without what only the mirrors have it is skipped, aloud.
kernels-short:
	@if $(MAKE) --no-print-directory STATIC=1 ARCH=$(HOST) libraries; then \
		$(MAKE) --no-print-directory -j$(JOBS) STATIC=1 ARCH=$(HOST) guests && tests/kernels/run --short; \
	else \
		echo '  skip kernels: no static libraries'; echo '0 passed, 0 failed, 2 skipped'; \
	fi

libraries: $(LIBRARIES_MADE)

# Half an hour. Each rule of the tables of tests/live and the I/O matrix, and the tests that stand for it.
rules: build $(TOOLS)
	@$(SUDO) tests/rules/run $(RULES)

bench: build $(TOOLS)
	@$(SUDO) tests/bench/run

soak: build $(TOOLS)
	@$(SUDO) tests/live/soak $(SECONDS)

fuzz: $(FUZZ)
	@tests/fuzz/run $(or $(SECONDS),60) $(FUZZ)

vmlinux:
	$(call say,VMLINUX,vmlinux/$(ARCH).h)
	$(Q)vmlinux/extract.sh $(BTF) > vmlinux/$(ARCH).h.tmp && mv vmlinux/$(ARCH).h.tmp vmlinux/$(ARCH).h

clean:
	$(Q)rm -rf $(OUT)

-include $(OBJ:.o=.d) $(SAN_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(UNIT:%=%.d) $(FUZZ:%=%.d) $(TOOLS:%=%.d) $(GUEST_TOOLS:%=%.d) $(BPF_OBJ:.o=.d) $(OLD_OBJ:.o=.d)
