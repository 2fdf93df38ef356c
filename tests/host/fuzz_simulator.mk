HOST_FUZZERS += fuzz_simulator
fuzz_simulator_SOURCES := tests/host/fuzz_simulator.c $(SIM_LIBRARY)
fuzz_simulator_FLAGS := -Isim
