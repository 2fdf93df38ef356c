HOST_TESTS += test_simulator_events
test_simulator_events_SOURCES := tests/host/test_simulator_events.c tests/host/host.c $(SIM_LIBRARY)
test_simulator_events_FLAGS := -Isim
