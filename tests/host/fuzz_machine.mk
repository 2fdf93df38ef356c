HOST_FUZZERS += fuzz_machine
fuzz_machine_SOURCES := tests/host/fuzz_machine.c kernel/dev/machine.c
