# Builds the kernel, its user programs, the disk image and the tools; runs and tests them.
# `make help` lists the targets. Set on the command line: CPUS, MEM, APPEND, QEMU, QEMUEXTRA,
# EXTRA_UPROGS, FSSIZE, TOOLPREFIX, LLVM=1, DEBUG=1, V=1.

.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
PYTHON ?= python3

.DEFAULT_GOAL := all

# What `setup` installs is looked for only afterwards, by a second make for each other goal.
ifneq ($(filter setup,$(MAKECMDGOALS)),)
AFTER_SETUP := $(filter-out setup,$(MAKECMDGOALS))
.PHONY: setup $(AFTER_SETUP)
.NOTPARALLEL:
setup:
	@QEMU=$(QEMU) sh tools/setup
$(AFTER_SETUP): setup
	@$(MAKE) --no-print-directory $@
else

# ---- Variables ----

CPUS ?= 3
MEM ?= 128M
APPEND ?=
QEMU ?= qemu-system-riscv64
QEMUEXTRA ?=
KERNEL ?= kernel/kernel
IMAGE ?= fs.img
EXTRA_UPROGS ?=
FSSIZE ?= 32M

yes = $(filter-out 0 n no,$(1))
LLVM_ON := $(call yes,$(LLVM))
DEBUG_ON := $(call yes,$(DEBUG))

# Each variant has its folder of objects; kernel/kernel and fs.img are copies of the chosen one's.
B := build$(if $(LLVM_ON),/llvm)$(if $(DEBUG_ON),/debug)

# Short lines; V=1 shows the commands.
ifneq ($(call yes,$(V)),)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

# $(call remember,FILE,TEXT): FILE holds TEXT and gets newer, so that what depends on it is built
# again, only when TEXT changes.
remember = $(shell mkdir -p $(dir $(1)) && { printf '%s\n' '$(2)' | cmp -s - $(1) || printf '%s\n' '$(2)' >$(1); })

# ---- Tools ----

NEEDS_NO_COMPILER := help clean format print-qemu print-gdbport gdb handout submission setup
ifneq ($(filter-out $(NEEDS_NO_COMPILER),$(or $(MAKECMDGOALS),all)),)
BUILDING := yes
endif

HOSTCC ?= cc
on_path = $(shell command -v $(1) 2>/dev/null)

ifdef LLVM_ON
CC := clang --target=riscv64-unknown-elf
LD := ld.lld
AR := llvm-ar
OBJCOPY := llvm-objcopy
NM := llvm-nm
OBJDUMP := llvm-objdump
TOOLS_FOUND := $(and $(call on_path,clang),$(call on_path,ld.lld),$(call on_path,llvm-nm))
TOOLS_WANTED := clang, ld.lld or llvm-nm was not found: run `make setup`
else
PREFIXES := $(shell cat tools/prefixes)
ifeq ($(origin TOOLPREFIX),undefined)
TOOLPREFIX := $(firstword $(foreach p,$(PREFIXES),$(if $(call on_path,$(p)gcc),$(p))))
endif
CC := $(TOOLPREFIX)gcc
LD := $(TOOLPREFIX)ld
AR := $(TOOLPREFIX)ar
OBJCOPY := $(TOOLPREFIX)objcopy
NM := $(TOOLPREFIX)nm
OBJDUMP := $(TOOLPREFIX)objdump
TOOLS_FOUND := $(and $(call on_path,$(CC)),$(call on_path,$(LD)))
TOOLS_WANTED := no RISC-V gcc with binutils was found ($(addsuffix gcc,$(or $(TOOLPREFIX),$(PREFIXES)))): \
	run `make setup`, or set TOOLPREFIX, or use LLVM=1
endif

ifdef BUILDING
ifeq ($(TOOLS_FOUND),)
$(error $(TOOLS_WANTED))
endif
$(foreach t,$(HOSTCC) $(PYTHON),$(if $(call on_path,$(t)),,$(error $(t) was not found: run `make setup`)))
# Some compilers want the two extensions named, older ones do not know their names.
ISA := $(shell $(CC) -march=rv64imac_zicsr_zifencei -mabi=lp64 -x c -c -o /dev/null /dev/null \
	2>/dev/null && echo rv64imac_zicsr_zifencei || echo rv64imac)
endif

# Functions that are called through tables have parameters they do not need.
WARNINGS := -Wall -Wextra -Werror -Wno-unused-parameter
RISCV_FLAGS := -std=gnu11 -O2 -g -march=$(ISA) -mabi=lp64 -mcmodel=medany $(WARNINGS) \
	-ffreestanding -nostdlib -fno-common -fno-pie -fno-stack-protector -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -ffile-prefix-map=$(CURDIR)=. \
	$(if $(LLVM_ON),-mno-relax,-fno-tree-loop-distribute-patterns)
LINK_FLAGS := -m elf64lriscv -nostdlib -static --fatal-warnings -z max-page-size=4096

# ---- Kernel ----

LAYERS := $(shell sed '/^\#/d' kernel/LAYERS)
KERNEL_SOURCES := $(wildcard kernel/main.c $(LAYERS:%=kernel/%/*.c) $(LAYERS:%=kernel/%/*.S))
KERNEL_OBJECTS := $(KERNEL_SOURCES:%=$(B)/%.o)
KERNEL_CC := $(CC) $(RISCV_FLAGS) -Ikernel $(if $(DEBUG_ON),-DDEBUG=1)
KERNEL_LD := $(LD) $(LINK_FLAGS) -T kernel/kernel.ld
SYMBOLS := $(PYTHON) tools/symbols.py --nm $(NM)

all: kernel/kernel kernel/kernel.sym kernel/kernel.asm fs.img mkfs/mkfs mkfs/fsck

ifdef BUILDING
$(call remember,$(B)/kernel/flags,$(KERNEL_CC) ; $(KERNEL_LD) $(KERNEL_OBJECTS))
ifneq ($(filter-out build/%,$(or $(MAKECMDGOALS),all)),)
$(call remember,build/variant,$(B))
endif
endif

$(B)/kernel/%.o: kernel/% $(B)/kernel/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) -MMD -MP -c -o $@ $<

# Linked first with an empty table of symbols, then with the table of what was linked; it stands
# behind all code and constants, so that the second link moves no function, which is verified.
$(B)/kernel/kernel: $(KERNEL_OBJECTS) kernel/kernel.ld tools/symbols.py $(B)/kernel/flags
	$(say) LD $@
	$(Q)$(SYMBOLS) --out $(B)/kernel/symbols0.S
	$(Q)$(KERNEL_CC) -c -o $(B)/kernel/symbols0.o $(B)/kernel/symbols0.S
	$(Q)$(KERNEL_LD) -o $(B)/kernel/kernel0 $(KERNEL_OBJECTS) $(B)/kernel/symbols0.o
	$(Q)$(SYMBOLS) --out $(B)/kernel/symbols.S $(B)/kernel/kernel0
	$(Q)$(KERNEL_CC) -c -o $(B)/kernel/symbols.o $(B)/kernel/symbols.S
	$(Q)$(KERNEL_LD) -o $@ $(KERNEL_OBJECTS) $(B)/kernel/symbols.o
	$(Q)$(SYMBOLS) --same $(B)/kernel/kernel0 $@

$(B)/%.sym: $(B)/%
	$(Q)$(NM) -n $< | awk '{ print $$1, $$3 }' >$@

$(B)/%.asm: $(B)/%
	$(Q)$(OBJDUMP) -S $< >$@

kernel/kernel kernel/kernel.sym kernel/kernel.asm fs.img: %: $(B)/% build/variant
	@cp $< $@

# ---- Host programs that make and check the image ----

MKFS_SHARED := $(filter-out mkfs/mkfs.c mkfs/fsck.c,$(wildcard mkfs/*.c))
MKFS_CC := $(HOSTCC) -std=gnu11 -O2 -g $(WARNINGS) -I. -Ikernel

ifdef BUILDING
$(call remember,build/mkfs/flags,$(MKFS_CC) ; $(MKFS_SHARED))
endif

build/mkfs/%.o: mkfs/%.c build/mkfs/flags
	$(say) HOSTCC $<
	$(Q)$(MKFS_CC) -MMD -MP -c -o $@ $<

mkfs/mkfs mkfs/fsck: mkfs/%: build/mkfs/%.o $(MKFS_SHARED:mkfs/%.c=build/mkfs/%.o)
	$(say) HOSTLD $@
	$(Q)$(HOSTCC) -o $@ $^

# ---- User programs ----

# A program of user/bin is one file. Of user/tests, cowtest, forktest, bench and harts are the files that
# begin with these names, test*.c and support.c are what tests share, and the rest is usertests.
USER_LIB := $(filter-out user/lib/crt0.S,$(wildcard user/lib/*.c user/lib/*.S)) \
	$(addprefix kernel/lib/,format.c keys.c lineedit.c string.c utf8.c)
TEST_LIB := $(wildcard user/tests/test*.c user/tests/support.c)
BIN_NAMES := $(patsubst user/bin/%.c,%,$(wildcard user/bin/*.c))
TEST_NAMES := cowtest forktest usertests bench harts
$(foreach p,$(BIN_NAMES),$(eval $(p)_PARTS := user/bin/$(p).c))
$(foreach p,$(filter-out usertests,$(TEST_NAMES)),$(eval $(p)_PARTS := $(wildcard user/tests/$(p)*.c)))
usertests_PARTS := $(filter-out $(TEST_LIB) $(cowtest_PARTS) $(forktest_PARTS) $(bench_PARTS) $(harts_PARTS), \
	$(wildcard user/tests/*.c))
PROGRAMS := $(foreach p,$(BIN_NAMES) $(TEST_NAMES),$(if $($(p)_PARTS),$(p)))

USER_CC := $(CC) $(RISCV_FLAGS) -ffunction-sections -fdata-sections -Iuser/lib -Iuser/tests -Ikernel
USER_LD := $(LD) $(LINK_FLAGS) -T user/lib/user.ld -z stack-size=65536 --gc-sections \
	$(if $(LLVM_ON),-z nostart-stop-gc)

ifdef BUILDING
$(call remember,$(B)/user/flags,$(USER_CC) ; $(USER_LD) $(USER_LIB) $(TEST_LIB) ; $(foreach p,$(PROGRAMS),$($(p)_PARTS)))
endif

$(B)/user/%.o: % $(B)/user/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(USER_CC) -MMD -MP -c -o $@ $<

# Programs take from the libraries what they need.
$(B)/user/libcow6.a: $(USER_LIB:%=$(B)/user/%.o)
$(B)/user/libtest.a: $(TEST_LIB:%=$(B)/user/%.o)
$(B)/user/lib%.a: $(B)/user/flags
	$(say) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

# $(call program,NAME): how build/user/_NAME is linked.
define program
$(B)/user/_$(1): $(B)/user/user/lib/crt0.S.o $($(1)_PARTS:%=$(B)/user/%.o) \
		$(B)/user/libtest.a $(B)/user/libcow6.a user/lib/user.ld $(B)/user/flags
	$$(say) LD $$@
	$$(Q)$$(USER_LD) -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# The image gets programs without what only debuggers read.
$(B)/user/stripped/%: $(B)/user/_%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-debug $< $@

# ---- Disk image ----

# A foreign program takes the place of a program of the same name.
FOREIGN_NAMES := $(patsubst _%,%,$(notdir $(EXTRA_UPROGS)))
OWN_NAMES := $(filter-out $(FOREIGN_NAMES),$(PROGRAMS))
IMAGE_PROGRAMS := $(OWN_NAMES:%=$(B)/user/stripped/%) $(EXTRA_UPROGS)

ifdef BUILDING
$(call remember,$(B)/image.flags,$(FSSIZE) $(IMAGE_PROGRAMS))
endif

README := $(wildcard README.md)

$(B)/fs.img: mkfs/mkfs $(IMAGE_PROGRAMS) $(README) $(B)/image.flags
	$(say) MKFS $@
	$(Q)mkfs/mkfs -s $(FSSIZE) $@ $(IMAGE_PROGRAMS) $(README:%=%:README)

# ---- Programs as other trees build them, for tests ----

# In one segment with all rights, as xv6 did first; in two on pages of their own, as it does now.
FOREIGN_KINDS := omagic paged
FOREIGN_omagic = -N -Ttext 0 $(shell $(LD) --help | grep -o -m1 -e --no-warn-rwx-segments)
FOREIGN_paged = -z max-page-size=4096 -T tests/foreign/foreign.ld
FOREIGN_PROGRAMS := $(FOREIGN_KINDS:%=$(B)/foreign/_foreign-%)

$(B)/foreign/foreign.o: tests/foreign/foreign.c $(B)/kernel/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(RISCV_FLAGS) -mno-relax -c -o $@ $<

$(FOREIGN_PROGRAMS): $(B)/foreign/_foreign-%: $(B)/foreign/foreign.o tests/foreign/foreign.ld
	$(Q)$(LD) -m elf64lriscv $(FOREIGN_$*) -e main -o $@ $<

$(B)/foreign/fs.img: mkfs/mkfs $(IMAGE_PROGRAMS) $(FOREIGN_PROGRAMS) $(B)/image.flags
	$(Q)mkfs/mkfs -s $(FSSIZE) $@ $(IMAGE_PROGRAMS) $(FOREIGN_PROGRAMS) $(README:%=%:README)

# ---- QEMU ----

# The image is a product of the build: losing it with the host is no loss, hence cache=unsafe.
QEMU_COMMAND = $(QEMU) -machine virt -bios default -kernel $(KERNEL) -m $(MEM) -smp $(CPUS) \
	-nographic -global virtio-mmio.force-legacy=false \
	-drive file=$(IMAGE),if=none,format=raw,id=x0,cache=unsafe \
	-device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0 \
	$(if $(APPEND),-append "$(APPEND)") $(QEMUEXTRA)
GDBPORT := $(shell expr `id -u` % 5000 + 25000)

.PHONY: all qemu qemu-gdb gdb usable-qemu print-qemu print-gdbport
usable-qemu:
	@sh tools/check-qemu $(QEMU)

qemu: usable-qemu kernel/kernel fs.img
	$(QEMU_COMMAND)

qemu-gdb: usable-qemu all
	@echo "Now run 'make gdb' in another window."
	$(QEMU_COMMAND) -S -gdb tcp:127.0.0.1:$(GDBPORT)

gdb:
	@gdb=$(or $(GDB),$$(sh tools/find-gdb)) && $$gdb -q -ex "set architecture riscv:rv64" -ex "file kernel/kernel" \
		-ex "target remote 127.0.0.1:$(GDBPORT)" -x tools/gdb/cow6.py

print-qemu:
	@echo '$(strip $(QEMU_COMMAND))'

print-gdbport:
	@echo $(GDBPORT)

# For scripts: make print-KERNEL_CC prints that variable.
print-%:
	@echo '$($*)'

# ---- Tests on the host ----

# tests/host/*.mk name the unit tests and fuzzers (HOST_TESTS, HOST_FUZZERS) and the sources of each
# (NAME_SOURCES). tests/host/include stands in for the headers that only RISC-V can have.
HOST_TESTS :=
HOST_FUZZERS :=
-include $(sort $(wildcard tests/host/*.mk))

HOST_FLAGS := -std=gnu11 -g -O1 $(WARNINGS) -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-Itests/host/include -Itests/host -I. -Ikernel -pthread
TEST_CC := $(HOSTCC) $(HOST_FLAGS) -fsanitize=address,undefined
FUZZ_CC := clang $(HOST_FLAGS) -fsanitize=fuzzer,address,undefined

# $(call host_program,FOLDER,NAME,COMPILER): how build/FOLDER/NAME is built, from objects of its own.
define host_program
build/$(1)/$(2): $($(2)_SOURCES:%=build/$(1)/$(2).objects/%.o)
	$$(say) HOSTLD $$@
	$$(Q)$$(filter-out -fsanitize=thread,$($(3)) $($(2)_FLAGS)) -o $$@ $$(filter %.o,$$^)
build/$(1)/$(2).objects/%.o: % build/host/flags
	$$(say) HOSTCC "$$< ($(2))"
	@mkdir -p $$(@D)
	$$(Q)$($(3)) $($(2)_FLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach t,$(HOST_TESTS),$(eval $(call host_program,host,$(t),TEST_CC)))
$(foreach t,$(HOST_FUZZERS),$(eval $(call host_program,fuzz,$(t),FUZZ_CC)))

ifdef BUILDING
$(call remember,build/host/flags,$(TEST_CC) ; $(FUZZ_CC) ; $(foreach t,$(HOST_TESTS) $(HOST_FUZZERS),$($(t)_SOURCES) $($(t)_FLAGS)))
endif

# ---- Checks ----

.PHONY: check quick lint format bench forkcmp submission setup clean help
check: usable-qemu all
	@$(PYTHON) tests/check.py $(if $(REPEAT),--repeat $(REPEAT)) $(CHECKS)

quick:
	@$(PYTHON) tests/check.py --quick

lint:
	@$(PYTHON) tools/lint.py

format:
	clang-format -i $(wildcard kernel/*.[ch] kernel/*/*.[ch] user/*/*.[ch] user/tests/*/*.[ch] mkfs/*.[ch] \
		tests/host/*.[ch] tests/host/include/*/*.[ch] tests/foreign/*.[ch])

bench: usable-qemu all
	@$(PYTHON) tools/bench.py

forkcmp: usable-qemu all
	@$(PYTHON) tools/forkcmp.py

# ---- The lab ----

ifneq ($(wildcard grade-cow),)
.PHONY: grade check-grader
grade:
	@./grade-cow

check-grader: usable-qemu all
	@$(PYTHON) tests/grader/matrix.py
endif

# The student's tree, and what a student hands in.
DEPTH ?= 1
ifneq ($(wildcard tools/handout.py),)
.PHONY: handout
handout:
	@$(PYTHON) tools/handout.py --depth $(DEPTH)
endif

submission:
	@$(PYTHON) tools/submission.py --make "$(MAKE)"

compile_commands.json: Makefile tools/compile_commands.py
	@$(MAKE) --no-print-directory --always-make --dry-run V=1 all | $(PYTHON) tools/compile_commands.py >$@

clean:
	rm -rf build kernel/kernel kernel/kernel.sym kernel/kernel.asm fs.img mkfs/mkfs mkfs/fsck compile_commands.json

help:
	@echo 'make setup          install what is missing (apt, dnf, pacman or brew)'
	@echo 'make [all]          build kernel, programs, disk image and tools'
	@echo 'make qemu           build all and boot to the shell; Ctrl-A X leaves'
	@echo 'make qemu-gdb, gdb  boot stopped; debug with the commands of tools/gdb/cow6.py'
	@echo 'make quick          lint and the unit tests: less than a minute'
	@echo 'make check          every test; CHECKS="names" picks, CHECKS=--list lists, REPEAT=200 repeats each'
	@echo 'make bench          tables of instruction counts'
	@echo 'make forkcmp        eager fork, copy-on-write, vfork and fork+exec in numbers'
ifneq ($(wildcard grade-cow),)
	@echo 'make grade          grades this tree; ./grade-cow --help: submissions'
	@echo 'make check-grader   grades all known right and wrong solutions'
	@echo 'make handout        the tree for students in build/handout; DEPTH=1, 2, 3 says how much they write'
else
	@echo 'make submission     packs and checks what is handed in'
endif
	@echo 'make lint, format   static checks; clang-format'
	@echo 'make print-qemu, print-gdbport, compile_commands.json, clean'
	@echo 'Variables: CPUS MEM APPEND QEMU QEMUEXTRA EXTRA_UPROGS FSSIZE TOOLPREFIX LLVM=1 DEBUG=1 V=1'

-include $(shell find build -name '*.d' 2>/dev/null)

endif
