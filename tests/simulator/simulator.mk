# The simulator against other machines, at length (docs/simulator.md).

FUZZ_SIM_SOURCES := tests/simulator/fuzz/entry.S $(wildcard tests/simulator/fuzz/*.c)
FUZZ_SIM_CC = $(CC) -std=gnu11 -O2 -march=$(ISA) -mabi=lp64 -mcmodel=medany $(WARNINGS) \
	-ffreestanding -nostdlib -fno-pie -fno-stack-protector -mno-relax -Itests/simulator/fuzz \
	$(if $(LLVM_ON),-fuse-ld=lld,-fno-tree-loop-distribute-patterns) \
	-static -Wl,-Ttext=0x80000000,--build-id=none,--no-relax$(FUZZ_SIM_QUIET)
FUZZ_SIM_QUIET = $(addprefix $(comma),$(shell $(LD) --help | grep -o -m1 -e --no-warn-rwx-segments))
comma := ,
fuzz-sim_SETTINGS = $(FUZZ_SIM_CC) ; $(FUZZ_SIM_SOURCES)

$(OUT)build/fuzz-sim/guest: $(FUZZ_SIM_SOURCES) $(wildcard tests/simulator/fuzz/*.h) \
		$(OUT)build/fuzz-sim.settings
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(FUZZ_SIM_CC) -o $(new) $(FUZZ_SIM_SOURCES) && $(put)

$(OUT)build/fuzz-sim/guest.bin: $(OUT)build/fuzz-sim/guest
	$(Q)$(OBJCOPY) -O binary $< $(new) && $(put)

.PHONY: fuzz-sim
# SEED is the first program's number, COUNT says how many.
fuzz-sim: usable-qemu $(OUT)sim/sim $(OUT)build/fuzz-sim/guest.bin ## random programs: SEED= COUNT=
	@$(PYTHON) tests/simulator/fuzz_sim.py --seed $(or $(SEED),1) --count $(or $(COUNT),10000)

.PHONY: bench-sim
bench-sim: usable-qemu $(OUT)sim/sim $(OUT)kernel/kernel $(OUT)fs.img ## the simulator's speed
	@$(PYTHON) tests/simulator/bench_sim.py

.PHONY: check-sim-riscv-tests
# RISCV_TESTS and RISCV_TEST_ENV are trees of these names.
check-sim-riscv-tests: $(OUT)sim/sim ## run public tests on the simulator
	@$(PYTHON) tests/simulator/riscv_tests.py $(call quoted,$(RISCV_TESTS)) \
		$(call quoted,$(RISCV_TEST_ENV))

.PHONY: check-sim-profiles
check-sim-profiles: $(OUT)sim/sim all ## cowtest and usertests on machines that are not kind
	@$(PYTHON) tests/simulator/profiles.py --seed $(or $(SEED),1)

.PHONY: check-sim-xv6
# XV6 says where trees of xv6-riscv are.
check-sim-xv6: $(OUT)sim/sim ## boot trees of xv6 on the simulator: XV6='DIR...'
	@$(PYTHON) tests/simulator/xv6_kernels.py $(XV6)

.PHONY: check-sim-power
# SEED is the first run's, COUNT says how many losses there are.
check-sim-power: $(OUT)sim/sim all ## lose the power while files are changed: SEED= COUNT=
	@$(PYTHON) tests/simulator/power.py --seed $(or $(SEED),1) --count $(or $(COUNT),10000)

# A disk with a program that changes files, for losses of power.
$(VARIANT)/user/_writer: $(VARIANT)/user/user/lib/crt0.S.o \
		$(VARIANT)/user/tests/simulator/guests/writer.c.o $(VARIANT)/user/libcow6.a user/lib/user.ld
	$(say) LD $@
	$(Q)$(USER_LD) -o $(new) $(filter %.o %.a,$^) && $(put)

$(OUT)build/power.img: $(OUT)mkfs/mkfs $(VARIANT)/user/stripped/writer
	$(say) MKFS $@
	$(Q)$< -s 512K -l 48 $(new) $(VARIANT)/user/stripped/writer && $(put)

# The kernel's protocols: a program that is no part of the image that others use.
EXPLORE_SOURCES := $(wildcard tests/simulator/explore/*.c)
EXPLORE_OBJECTS := $(EXPLORE_SOURCES:%=$(VARIANT)/user/%.o)
EXPLORE_IMAGE := -s 4M -l 512
EXPLORE_FILES := README.md:data0 README.md:data1
explore_SETTINGS = $(USER_LD) $(EXPLORE_SOURCES) $(EXPLORE_IMAGE) $(EXPLORE_FILES)

$(VARIANT)/explore/_explore: $(VARIANT)/user/user/lib/crt0.S.o $(EXPLORE_OBJECTS) \
		$(VARIANT)/user/libcow6.a user/lib/user.ld $(VARIANT)/explore.settings
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(USER_LD) -o $(new) $(filter %.o %.a,$^) && $(OBJCOPY) --strip-debug $(new) && $(put)

$(OUT)build/explore.img: $(OUT)mkfs/mkfs $(VARIANT)/explore/_explore README.md \
		$(VARIANT)/explore.settings
	$(say) MKFS $@
	$(Q)$< $(EXPLORE_IMAGE) $(new) $(VARIANT)/explore/_explore $(EXPLORE_FILES) && $(put)

.PHONY: explore explore-faults
# SCHEDULES is the number of all together, SEED another beginning; SCENARIOS="pipe kill" picks.
explore: $(OUT)sim/sim $(OUT)build/explore.img all ## schedules of races
	@$(PYTHON) tests/simulator/explore_kernel.py --jobs 2 --seed $(or $(SEED),1) \
		--schedules $(or $(SCHEDULES),100000) $(SCENARIOS)

explore-faults: $(OUT)sim/sim $(OUT)build/explore.img ## explore finds the faults that are planted
	@$(PYTHON) tests/simulator/explore_kernel.py --faults --quick
