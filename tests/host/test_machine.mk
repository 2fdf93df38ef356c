HOST_TESTS += test_machine
test_machine_SOURCES := tests/host/test_machine.c tests/host/host.c kernel/dev/machine.c
