HOST_TESTS += test_simulator_tlb
test_simulator_tlb_SOURCES := tests/host/test_simulator_tlb.c tests/host/host.c $(SIM_LIBRARY)
test_simulator_tlb_FLAGS := -Isim
