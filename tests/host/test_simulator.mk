HOST_TESTS += test_simulator
test_simulator_SOURCES := tests/host/test_simulator.c tests/host/host.c $(SIM_LIBRARY)
test_simulator_FLAGS := -Isim
