HOST_TESTS += test_remote
test_remote_SOURCES := tests/host/test_remote.c tests/host/host.c $(SIM_LIBRARY)
test_remote_FLAGS := -Isim
