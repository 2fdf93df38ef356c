# Builds the kernel, its user programs, the disk image and the tools; runs and tests them.
# `make help` lists the targets; README.md explains the variables.
# Variables: CPUS MEM APPEND EXTRA_UPROGS FSSIZE QEMU QEMUEXTRA SIMEXTRA GDB TOOLPREFIX HOSTCC
#            PYTHON LLVM=1 DEBUG=1 OPT=-O0 BUILD=DIR (or O=DIR) V=1 CHECKS= REPEAT= TESTS= SEED=
#            COUNT= SCENARIOS= SCHEDULES= BENCH= FUNCTION= RISCV_TESTS= RISCV_TEST_ENV= XV6=

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules

# NAME = $(call once,NAME,VALUE): the value is computed when NAME is first used, and then kept.
once = $(eval $(1) := $(2))$($(1))

# The python that has the packages of the tools; to build, any python3 will do.
ifeq ($(origin PYTHON),undefined)
PYTHON = $(call once,PYTHON,$(or $(shell sh tools/find-python 2>/dev/null),python3))
endif

.DEFAULT_GOAL := all

ifeq ($(wildcard kernel/LAYERS),)
$(error Makefile: run make in the tree itself, or as `make -C TREE`)
endif

# ---- Variables ----

CPUS ?= 3
MEM ?= 128M
APPEND ?=
QEMU ?= qemu-system-riscv64
QEMUEXTRA ?=
SIMEXTRA ?=
KERNEL ?= $(OUT)kernel/kernel
IMAGE ?= $(OUT)fs.img
EXTRA_UPROGS ?=
FSSIZE ?= 32M
OPT ?= -O2

# Wrong values and unknown goals are refused before anything is built.
quoted = '$(subst ','\'',$(1))'
checked := CPUS MEM OPT LLVM DEBUG
wrong := $(shell $(foreach v,$(checked),$(v)=$(call quoted,$($(v)))) sh tools/check-variables)
$(if $(wrong),$(error $(wrong)))
refuse = $(error $(1)=$($(1)): $(2))
$(foreach v,init fork frames failframe,$(if $(filter command,$(origin $(v))),\
	$(call refuse,$(v),say APPEND=$(v)=$($(v)))))
$(if $(filter command,$(origin FORK)),$(call refuse,FORK,say APPEND=fork=$(FORK)))

# A goal without / and . is not a file, so a rule must name it.
ifneq ($(MAKECMDGOALS),)
named := $(shell sed -n 's/^\([A-Za-z0-9_ -]*\):.*/\1/p' \
	$(MAKEFILE_LIST) $(wildcard labs/cow/grading/lab.mk tools/platforms/platforms.mk \
	tests/simulator/simulator.mk))
unnamed := $(filter-out $(named) print-%,$(MAKECMDGOALS))
$(foreach goal,$(unnamed),$(if $(findstring /,$(goal))$(findstring .,$(goal)),,\
	$(error there is no goal $(goal): `make help` lists those that there are)))
endif

# Other goals need what `setup` installs and must not see what `clean` removes. So beside these two,
# one thing is made after the other, in the order of the command line, even with -j.
ifneq ($(filter setup clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# ---- Where products go ----

yes = $(filter-out 0 n no,$(1))
LLVM_ON := $(call yes,$(LLVM))
DEBUG_ON := $(call yes,$(DEBUG))

# With BUILD=DIR nothing is written into this tree: each product is below DIR, under the name that
# it would have here. OUT is what the names of all products begin with.
ifeq ($(origin BUILD)-$(origin O),undefined-command line)
BUILD := $(value O)
endif
OUT := # whatever the environment has
ifneq ($(BUILD),)
build_path := $(if $(filter /%,$(firstword $(value BUILD))),,$(CURDIR)/)$(value BUILD)
odd_bytes := $(strip $(shell printf %s $(call quoted,$(build_path)) | \
	LC_ALL=C tr -d 'A-Za-z0-9_./+@\200-\377-' | wc -c))
ifneq ($(odd_bytes),0)
$(error BUILD=$(build_path): its path may have letters, digits and _ . / + @ - only: \
	choose another folder)
endif
override BUILD := $(patsubst %/,%,$(abspath $(build_path)))
ifneq ($(findstring <$(BUILD)/,<$(CURDIR)/),)
$(error BUILD=$(BUILD)/: this tree is in that folder: choose another one)
endif
export BUILD
OUT := $(BUILD)/
endif
export PYTHONPYCACHEPREFIX ?= $(or $(BUILD),$(CURDIR))/build/pycache
unexport PYTHONDONTWRITEBYTECODE # what is compiled is kept, but there

# Each variant has a folder of objects; kernel/kernel and fs.img are copied from the chosen one.
level := $(filter-out -O2,$(firstword $(OPT)))
VARIANT := $(OUT)build$(if $(LLVM_ON),/llvm)$(if $(DEBUG_ON),/debug)$(level:-%=/%)

# Short lines; V=1 shows the commands.
ifneq ($(call yes,$(V)),)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

# NAME.settings holds the text of NAME_SETTINGS. The file is written again, and what depends on it
# is built again, only when that text changes; it is compared only when something needs the file.
not_writable = { echo 'cannot write here: make BUILD=DIR builds in another folder' >&2; exit 1; }
%.settings: $$(call unless_holds,$$@,$$($$(notdir $$*)_SETTINGS))
	@mkdir -p $(@D) || $(not_writable)
	@printf '%s\n' '$($(notdir $*)_SETTINGS)' >$@
unless_holds = $(shell printf '%s\n' '$(2)' | cmp -s - $(1) || echo always)
.PHONY: always
always:

# A product is written under another name and renamed when it is complete, so that two makes may run
# at once, and one may be killed. (PPID is make's.)
new = $@.$$PPID
put = mv -f $(new) $@

# $(call compile,WORD,COMPILER): how an object is made.
define compile
	$(say) $(1) $<
	@mkdir -p $(@D)
	$(Q)$(2) -MMD -MP -MT $@ -MF $(new).d -c -o $(new) $< && mv -f $(new).d $(@:.o=.d) && $(put)
endef

# ---- Tools ----

# Each tool is looked for when the first command that uses it is needed.
HOSTCC ?= cc
on_path = $(shell command -v $(1) 2>/dev/null)
need = $(if $(call on_path,$(firstword $(1))),$(1),$(error $(1) was not found: run `make setup`))

ifdef LLVM_ON
CC := clang --target=riscv64-unknown-elf
LD := ld.lld
AR := llvm-ar
OBJCOPY := llvm-objcopy
NM := llvm-nm
OBJDUMP := llvm-objdump
TOOLS_WANTED := clang, ld.lld or llvm-nm was not found: run `make setup`
else
PREFIXES = $(shell cat tools/prefixes)
ifeq ($(origin TOOLPREFIX),undefined)
found_prefixes = $(foreach p,$(PREFIXES),$(if $(call on_path,$(p)gcc),$(p)))
TOOLPREFIX = $(call once,TOOLPREFIX,$(firstword $(found_prefixes)))
endif
CC = $(TOOLPREFIX)gcc
LD = $(TOOLPREFIX)ld
AR = $(TOOLPREFIX)ar
OBJCOPY = $(TOOLPREFIX)objcopy
NM = $(TOOLPREFIX)nm
OBJDUMP = $(TOOLPREFIX)objdump
compilers = $(addsuffix gcc,$(or $(TOOLPREFIX),$(PREFIXES)))
TOOLS_WANTED = no RISC-V gcc with binutils was found ($(compilers)): \
	run `make setup`, or set TOOLPREFIX, or use LLVM=1
endif

# Some compilers want the two extensions named, older ones do not know their names.
ISA = $(call once,ISA,$(or $(usable_isa),$(error $(TOOLS_WANTED))))
usable_isa = $(and $(call on_path,$(LD)),$(call on_path,$(NM)),$(known_isa))
known_isa = $(shell for isa in rv64imac_zicsr_zifencei rv64imac; do \
	$(CC) -march=$$isa -mabi=lp64 -x c -c -o /dev/null /dev/null 2>/dev/null && \
	echo $$isa && break; done)

# Functions that are called through tables may have parameters that they do not need. Paths in debug
# information are relative to this tree, wherever it is.
WARNINGS := -Wall -Wextra -Werror -Wno-unused-parameter
RISCV_FLAGS = -std=gnu11 $(OPT) -g -march=$(ISA) -mabi=lp64 -mcmodel=medany $(WARNINGS) \
	-ffreestanding -nostdlib -fno-common -fno-pie -fno-stack-protector -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -ffile-prefix-map="$$PWD"=. \
	$(if $(LLVM_ON),-mno-relax,-fno-tree-loop-distribute-patterns)
LINK_FLAGS := -m elf64lriscv -nostdlib -static --fatal-warnings -z max-page-size=4096

# ---- Kernel ----

LAYERS := $(shell sed '/^\#/d' kernel/LAYERS)
KERNEL_SOURCES := $(wildcard kernel/main.c $(LAYERS:%=kernel/%/*.c) $(LAYERS:%=kernel/%/*.S))
KERNEL_OBJECTS := $(KERNEL_SOURCES:%=$(VARIANT)/%.o)
KERNEL_CC = $(CC) $(RISCV_FLAGS) -Ikernel $(if $(DEBUG_ON),-DDEBUG=1)
KERNEL_LD = $(LD) $(LINK_FLAGS) -T kernel/kernel.ld
kernel_SETTINGS = $(KERNEL_CC) ; $(KERNEL_LD) $(KERNEL_OBJECTS)
SYMBOLS = $(call need,$(PYTHON)) tools/symbols.py --nm $(NM)
variant_SETTINGS = $(VARIANT)
PRODUCTS := $(addprefix $(OUT),kernel/kernel kernel/kernel.sym kernel/kernel.asm \
	fs.img mkfs/mkfs mkfs/fsck)

all: $(PRODUCTS) ## build kernel, programs, disk image and tools

$(VARIANT)/kernel/%.o: kernel/% $(VARIANT)/kernel.settings
	$(call compile,CC,$(KERNEL_CC))

# The kernel is linked first with an empty table of symbols, then with the table made from that.
# The table is placed after all code and constants, so the second link moves no function, which is
# checked.
$(VARIANT)/kernel/kernel: $(KERNEL_OBJECTS) kernel/kernel.ld tools/symbols.py \
		$(VARIANT)/kernel.settings
	$(say) LD $@
	@mkdir -p $(new)
	$(Q)$(SYMBOLS) --out $(new)/symbols0.S
	$(Q)$(KERNEL_CC) -c -o $(new)/symbols0.o $(new)/symbols0.S
	$(Q)$(KERNEL_LD) -o $(new)/kernel0 $(KERNEL_OBJECTS) $(new)/symbols0.o
	$(Q)$(SYMBOLS) --out $(new)/symbols.S $(new)/kernel0
	$(Q)$(KERNEL_CC) -c -o $(new)/symbols.o $(new)/symbols.S
	$(Q)$(KERNEL_LD) -o $(new)/kernel $(KERNEL_OBJECTS) $(new)/symbols.o
	$(Q)$(SYMBOLS) --same $(new)/kernel0 $(new)/kernel
	@mv -f $(new)/kernel $@ && rm -r $(new)

$(VARIANT)/%.sym: $(VARIANT)/%
	$(Q)$(NM) -n $< | awk '{ print $$1, $$3 }' >$(new) && $(put)

$(VARIANT)/%.asm: $(VARIANT)/%
	$(Q)$(OBJDUMP) -S $< >$(new) && $(put)

$(filter-out $(OUT)mkfs/%,$(PRODUCTS)): $(OUT)%: $(VARIANT)/% $(OUT)build/variant.settings
	@mkdir -p $(@D)
	@cp $< $(new) && $(put)

# ---- Host programs that make and check the image ----

MKFS_SHARED := $(filter-out mkfs/mkfs.c mkfs/fsck.c,$(wildcard mkfs/*.c))
MKFS_OBJECTS := $(MKFS_SHARED:%.c=$(OUT)build/%.o)
MKFS_CC = $(call need,$(HOSTCC)) -std=gnu11 -O2 -g $(WARNINGS) -I. -Ikernel
mkfs_SETTINGS = $(MKFS_CC) ; $(MKFS_SHARED)

$(OUT)build/mkfs/%.o: mkfs/%.c $(OUT)build/mkfs.settings
	$(call compile,HOSTCC,$(MKFS_CC))

$(OUT)mkfs/mkfs $(OUT)mkfs/fsck: $(OUT)mkfs/%: $(OUT)build/mkfs/%.o $(MKFS_OBJECTS) \
		$(OUT)build/mkfs.settings
	$(say) HOSTLD $@
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -o $(new) $(filter %.o,$^) && $(put)

# ---- The simulator ----

# A library, sim/, with the folders below it, and the command, sim/command/.
SIM_LIBRARY := $(filter-out sim/command/% sim/wasm/%,$(wildcard sim/*.c sim/*/*.c))
SIM_SOURCES := $(SIM_LIBRARY) $(wildcard sim/command/*.c)
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(OUT)build/%.o)
SIM_CC = $(call need,$(HOSTCC)) -std=gnu11 -O2 -g $(WARNINGS) -Isim
sim_SETTINGS = $(SIM_CC) ; $(SIM_SOURCES)

$(OUT)build/sim/%.o: sim/%.c $(OUT)build/sim.settings
	$(call compile,HOSTCC,$(SIM_CC))

$(OUT)sim/sim: $(SIM_OBJECTS) $(OUT)build/sim.settings
	$(say) HOSTLD $@
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -o $(new) $(filter %.o,$^) && $(put)

# The library for WebAssembly, without a C library.
WASM_SOURCES := $(SIM_LIBRARY) $(wildcard sim/wasm/*.c)
WASM_OBJECTS := $(WASM_SOURCES:sim/%.c=$(OUT)build/wasm/%.o)
WASM_CC = $(call need,clang) --target=wasm32 -std=gnu11 -O2 $(WARNINGS) -ffreestanding \
	-mbulk-memory -Isim/wasm/include -Isim
WASM_LD = $(call need,wasm-ld) --no-entry --gc-sections --strip-all -z stack-size=65536
wasm_SETTINGS = $(WASM_CC) ; $(WASM_LD) $(WASM_SOURCES)

$(OUT)build/wasm/%.o: sim/%.c $(OUT)build/wasm.settings
	$(call compile,CLANG,$(WASM_CC))

$(OUT)build/sim.wasm: $(WASM_OBJECTS) $(OUT)build/wasm.settings
	$(say) WASMLD $@
	$(Q)$(WASM_LD) -o $(new) $(filter %.o,$^) && $(put)

# ---- User programs ----

# A program of user/bin is NAME.c, and NAME_*.c if there are such files. In user/tests, the files
# whose names begin with cowtest, forktest, bench, scale, harts, hangs, watchdog or manyfiles make
# the program of that name; all tests share test*.c; the other files make usertests.
USER_LIB := $(filter-out user/lib/crt0.S,$(wildcard user/lib/*.c user/lib/*.S)) \
	$(addprefix kernel/lib/,cluster.c format.c keys.c lineedit.c string.c utf8.c)
TEST_LIB := $(wildcard user/tests/test*.c)
bin_files := $(patsubst user/bin/%.c,%,$(wildcard user/bin/*.c))
bin_parts := $(foreach f,$(bin_files),$(filter $(f)_%,$(bin_files)))
BIN_NAMES := $(filter-out $(bin_parts),$(bin_files))
TEST_NAMES := cowtest forktest usertests bench scale harts hangs watchdog manyfiles
$(foreach p,$(BIN_NAMES),$(eval $(p)_PARTS := $(wildcard user/bin/$(p).c user/bin/$(p)_*.c)))
OTHER_TESTS := $(filter-out usertests,$(TEST_NAMES))
$(foreach p,$(OTHER_TESTS),$(eval $(p)_PARTS := $(wildcard user/tests/$(p)*.c)))
usertests_PARTS := $(filter-out $(TEST_LIB) $(foreach p,$(OTHER_TESTS),$($(p)_PARTS)), \
	$(wildcard user/tests/*.c))
PROGRAMS := $(foreach p,$(BIN_NAMES) $(TEST_NAMES),$(if $($(p)_PARTS),$(p)))

USER_CC = $(CC) $(RISCV_FLAGS) -ffunction-sections -fdata-sections \
	-Iuser/lib -Iuser/tests -Ikernel
USER_LD = $(LD) $(LINK_FLAGS) -T user/lib/user.ld -z stack-size=65536 --gc-sections \
	$(if $(LLVM_ON),-z nostart-stop-gc)

USER_SOURCES := user/lib/crt0.S $(USER_LIB) $(TEST_LIB) $(foreach p,$(PROGRAMS),$($(p)_PARTS))
USER_OBJECTS := $(USER_SOURCES:%=$(VARIANT)/user/%.o)
user_SETTINGS = $(USER_CC) ; $(USER_LD) $(USER_SOURCES)

$(VARIANT)/user/%.o: % $(VARIANT)/user.settings
	$(call compile,CC,$(USER_CC))

# Programs take from the libraries what they need.
$(VARIANT)/user/libcow6.a: $(USER_LIB:%=$(VARIANT)/user/%.o)
$(VARIANT)/user/libtest.a: $(TEST_LIB:%=$(VARIANT)/user/%.o)
$(VARIANT)/user/lib%.a: $(VARIANT)/user.settings
	$(say) AR $@
	$(Q)rm -f $(new) && $(AR) rcs $(new) $(filter %.o,$^) && $(put)

# $(call program,NAME): how build/user/_NAME is linked.
define program
$(VARIANT)/user/_$(1): $(VARIANT)/user/user/lib/crt0.S.o $($(1)_PARTS:%=$(VARIANT)/user/%.o) \
		$(VARIANT)/user/libtest.a $(VARIANT)/user/libcow6.a user/lib/user.ld $(VARIANT)/user.settings
	$$(say) LD $$@
	$$(Q)$$(USER_LD) -o $$(new) $$(filter %.o %.a,$$^) && $$(put)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# Programs go into the image without their debug information.
$(VARIANT)/user/stripped/%: $(VARIANT)/user/_%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-debug $< $(new) && $(put)

# ---- Disk image ----

# A foreign program replaces cow6's own program of the same name.
FOREIGN_NAMES := $(patsubst _%,%,$(notdir $(EXTRA_UPROGS)))
OWN_NAMES := $(filter-out $(FOREIGN_NAMES),$(PROGRAMS))
IMAGE_PROGRAMS := $(OWN_NAMES:%=$(VARIANT)/user/stripped/%) $(EXTRA_UPROGS)

image_SETTINGS = $(FSSIZE) $(IMAGE_PROGRAMS)
README := $(wildcard README.md)

$(VARIANT)/fs.img: $(OUT)mkfs/mkfs $(IMAGE_PROGRAMS) $(README) $(VARIANT)/image.settings
	$(say) MKFS $@
	$(Q)$< -s $(FSSIZE) $(new) $(IMAGE_PROGRAMS) $(README:%=%:README) && $(put)

# ---- Programs as other trees build them, for tests ----

# In one segment with all rights, as early xv6 programs; in two on pages of their own, as today's.
FOREIGN_KINDS := omagic paged
FOREIGN_omagic = -N -Ttext 0 $(shell $(LD) --help | grep -o -m1 -e --no-warn-rwx-segments)
FOREIGN_paged = -z max-page-size=4096 -T tests/foreign/foreign.ld
FOREIGN_PROGRAMS := $(FOREIGN_KINDS:%=$(VARIANT)/foreign/_foreign-%)

$(VARIANT)/foreign/foreign.o: tests/foreign/foreign.c $(VARIANT)/kernel.settings
	$(call compile,CC,$(CC) $(RISCV_FLAGS) -mno-relax)

$(FOREIGN_PROGRAMS): $(VARIANT)/foreign/_foreign-%: $(VARIANT)/foreign/foreign.o \
		tests/foreign/foreign.ld
	$(Q)$(LD) -m elf64lriscv $(FOREIGN_$*) -e main -o $(new) $< && $(put)

$(VARIANT)/foreign/fs.img: $(OUT)mkfs/mkfs $(IMAGE_PROGRAMS) $(FOREIGN_PROGRAMS) \
		$(VARIANT)/image.settings
	$(Q)$< -s $(FSSIZE) $(new) $(IMAGE_PROGRAMS) $(FOREIGN_PROGRAMS) $(README:%=%:README) && $(put)

# ---- QEMU ----

# The image can be built again if the host loses it, hence cache=unsafe.
QEMU_COMMAND = $(QEMU) -machine virt -bios default -kernel $(KERNEL) -m $(MEM) -smp $(CPUS) \
	-nographic -global virtio-mmio.force-legacy=false \
	-drive file=$(IMAGE),if=none,format=raw,id=x0,cache=unsafe \
	-device virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0 \
	$(if $(APPEND),-append "$(APPEND)") $(QEMUEXTRA)
GDBPORT = $(shell expr `id -u` % 5000 + 25000)

.PHONY: all qemu qemu-gdb gdb usable-qemu print-qemu print-gdbport
usable-qemu:
	@sh tools/check-qemu $(QEMU)

qemu: usable-qemu $(OUT)kernel/kernel $(OUT)fs.img ## boot to the shell; Ctrl-A X leaves
	$(QEMU_COMMAND)

qemu-gdb: usable-qemu all ## boot stopped, for `make gdb` in another window
	@echo "Now run 'make gdb' in another window."
	$(QEMU_COMMAND) -S -gdb tcp:127.0.0.1:$(GDBPORT)

gdb: ## debug that machine, with the commands of tools/gdb/cow6.py
	@gdb=$(or $(GDB),$$(sh tools/find-gdb)) && $$gdb -q -ex "set architecture riscv:rv64" \
		-ex "file $(KERNEL)" -ex "target remote 127.0.0.1:$(GDBPORT)" -x tools/gdb/cow6.py

print-qemu: ## print the command that runs QEMU
	@echo '$(strip $(QEMU_COMMAND))'

print-gdbport: ## print the port that gdb connects to
	@echo $(GDBPORT)

# For scripts: make print-KERNEL_CC prints that variable.
print-%:
	@echo '$($*)'

# ---- The same machine, simulated ----

SIM_COMMAND = $(OUT)sim/sim $(KERNEL) $(IMAGE) --mem $(MEM) --harts $(CPUS) \
	$(if $(APPEND),--append "$(APPEND)") $(SIMEXTRA)

.PHONY: sim sim-gdb sim-wasm print-sim
sim: $(OUT)sim/sim $(OUT)kernel/kernel $(OUT)fs.img ## as qemu, in our own simulator
	$(SIM_COMMAND)

sim-gdb: $(OUT)sim/sim $(OUT)kernel/kernel $(OUT)fs.img ## as qemu-gdb; gdb can also go back in time
	@echo "Now run 'make gdb' in another window."
	$(SIM_COMMAND) --gdb 127.0.0.1:$(GDBPORT)

sim-wasm: $(OUT)build/sim.wasm ## build/sim.wasm, for sim/wasm/sim.mjs

print-sim: ## print the command that runs the simulator
	@echo '$(strip $(SIM_COMMAND))'

# ---- A plugin for QEMU ----

# Until 8.2, QEMU has version 1 of the interface; later ones want 2 or more.
PLUGIN_VERSION = $(shell $(QEMU) --version | \
	sed -n 's/^.* version \([0-9]*\)\..*/\1/p' | awk '{ print $$1 < 9 ? 1 : 2 }')
PLUGIN_CC = $(call need,$(HOSTCC)) -std=gnu11 -O2 -g $(WARNINGS) -fPIC -fvisibility=hidden \
	-pthread -DPLUGIN_VERSION=$(PLUGIN_VERSION)
ifeq ($(shell uname),Darwin)
PLUGIN_LINK = -shared -undefined dynamic_lookup
else
PLUGIN_LINK = -shared -Wl,-z,lazy # some systems' compilers bind at once, before QEMU is there
PLUGIN_CLOCK = tools/plugin/clock.c
endif
plugin_SETTINGS = $(PLUGIN_CC) $(PLUGIN_LINK)

$(OUT)build/plugin/lockstep.so: tools/plugin/lockstep.c $(PLUGIN_CLOCK) \
		$(wildcard tools/plugin/*.h) $(OUT)build/plugin.settings
	$(say) HOSTLD $@
	@mkdir -p $(@D)
	$(Q)$(PLUGIN_CC) $(PLUGIN_LINK) -o $(new) $(filter %.c,$^) && $(put)

# ---- Tests on the host ----

# tests/host/*.mk name the unit tests and fuzzers (HOST_TESTS, HOST_FUZZERS) and the sources of each
# (NAME_SOURCES). tests/host/include replaces the headers that only RISC-V can have.
HOST_TESTS :=
HOST_FUZZERS :=
-include $(sort $(wildcard tests/host/*.mk))

HOST_FLAGS := -std=gnu11 -g -O1 $(WARNINGS) -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-Itests/host/include -Itests/host -I. -Ikernel -pthread
TEST_CC = $(call need,$(HOSTCC)) $(HOST_FLAGS) -fsanitize=address,undefined
FUZZ_CC := clang $(HOST_FLAGS) -fsanitize=fuzzer,address,undefined

host_SETTINGS = $(TEST_CC) ; $(FUZZ_CC) ; \
	$(foreach t,$(HOST_TESTS) $(HOST_FUZZERS),$($(t)_SOURCES) $($(t)_FLAGS))

# $(call host_program,FOLDER,NAME,COMPILER): how build/FOLDER/NAME is built, from its own objects.
define host_program
$(2)_OBJECTS := $($(2)_SOURCES:%=$(OUT)build/$(1)/$(2).objects/%.o)
HOST_OBJECTS += $$($(2)_OBJECTS)
$(OUT)build/$(1)/$(2): $$($(2)_OBJECTS) $(OUT)build/host.settings
	$$(say) HOSTLD $$@
	$$(Q)$$(filter-out -fsanitize=thread,$$($(3)) $($(2)_FLAGS)) -o $$(new) $$(filter %.o,$$^) && \
		$$(put)
$(OUT)build/$(1)/$(2).objects/%.o: % $(OUT)build/host.settings
	$$(call compile,HOSTCC,$$($(3)) $($(2)_FLAGS))
endef
$(foreach t,$(HOST_TESTS),$(eval $(call host_program,host,$(t),TEST_CC)))
$(foreach t,$(HOST_FUZZERS),$(eval $(call host_program,fuzz,$(t),FUZZ_CC)))

# ---- Checks ----

.PHONY: check test quick lint format bench bench-check bench-save bench-scale profile forkcmp \
	usable-python
usable-python:
	@sh tools/find-python >/dev/null

# CHECKS="names" picks, CHECKS=--list lists, REPEAT=200 repeats each.
check: usable-qemu usable-python all ## run every test, or those that CHECKS="names" picks
	@$(PYTHON) tests/check.py $(if $(REPEAT),--repeat $(REPEAT)) $(CHECKS)

test: check ## another name for check

quick: usable-python ## lint and the unit tests: less than a minute
	@$(PYTHON) tests/check.py --quick

bench: usable-qemu all ## a table of instruction counts
	@$(PYTHON) tools/bench.py

bench-check: usable-qemu all ## fail if something has become slower than the saved counts say
	@$(PYTHON) tools/bench.py --check

bench-save: usable-qemu all ## save the counts of now, in tests/bench.json
	@$(PYTHON) tools/bench.py --save

bench-scale: usable-qemu all ## plots of cost against work; fail if a unit of work gets dearer
	@$(PYTHON) tools/bench_scale.py

# BENCH is the row, or how its name begins; FUNCTION shows a function's lines instead.
profile: usable-qemu all ## instructions by kernel function: BENCH=fork_exit FUNCTION=cow_share
	@$(PYTHON) tools/profiler.py $(if $(FUNCTION),--lines $(call quoted,$(FUNCTION))) \
		-- $(call quoted,$(BENCH))

forkcmp: usable-qemu all ## eager fork, copy-on-write, vfork and fork+exec in numbers
	@$(PYTHON) tools/forkcmp.py

lint: ## static checks
	@$(PYTHON) tools/lint.py

format: ## let clang-format lay out the C code
	@$(PYTHON) tools/lint.py --fix format

# ---- The lab ----

# Only an instructor's tree has these.
-include labs/cow/grading/lab.mk tools/platforms/platforms.mk tests/simulator/simulator.mk

.PHONY: grade submission
# TESTS="A fork_" picks: letters of parts, ids, beginnings of ids. SEED=N repeats a run.
grade: ## grade this tree, or only with TESTS="A fork_"; ./grade-cow --help tells more
	@$(PYTHON) grade-cow $(TESTS:%=-t %) $(SEED:%=--seed %)

submission: ## pack and check what is handed in
	@$(PYTHON) tools/submission.py --make "$(MAKE)"

# ---- This tree ----

.PHONY: setup clean help
setup: ## install what is missing, with apt, dnf, pacman or brew
	@QEMU=$(QEMU) sh tools/setup $(filter check-class,$(MAKECMDGOALS))

$(OUT)compile_commands.json: Makefile tools/compile_commands.py
	@mkdir -p $(@D)
	@$(MAKE) --no-print-directory --always-make --dry-run V=1 all | \
		$(PYTHON) tools/compile_commands.py >$(new) && $(put)

# With BUILD=DIR, a product can also be asked for by the name that it has in this tree.
ifdef OUT
asked_for := $(filter $(PRODUCTS:$(OUT)%=%) compile_commands.json build/%,$(MAKECMDGOALS))
.PHONY: $(asked_for)
$(asked_for): %: $(OUT)%
endif

OURS = $(wildcard $(addprefix $(OUT)build/,*.settings */*.settings pycache))
not_ours = { echo '$(OUT)build is not the work of make'; exit 1; }
clean: ## remove all that was built
	$(if $(OUT),@test -n "$(OURS)" || test ! -e $(OUT)build || $(not_ours))
	rm -rf $(OUT)build $(PRODUCTS) $(OUT)sim/sim $(OUT)compile_commands.json
	$(if $(OUT),@rmdir $(OUT)kernel $(OUT)mkfs $(OUT)sim $(OUT) 2>/dev/null || :)

help: ## print this
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-14s %s\n", $$1, $$2 }' \
		$(filter-out %.d,$(MAKEFILE_LIST))
	@sed -n '/^# Variables/,/^$$/ s/^# //p' Makefile

# Which headers each object was made from, as compilers noted it.
-include $(patsubst %.o,%.d,$(KERNEL_OBJECTS) $(USER_OBJECTS) $(MKFS_OBJECTS) $(SIM_OBJECTS) \
	$(WASM_OBJECTS) $(HOST_OBJECTS))
-include $(OUT)build/mkfs/mkfs.d $(OUT)build/mkfs/fsck.d
