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
