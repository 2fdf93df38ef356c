HOST_TESTS += test_processes
test_processes_SOURCES := tests/host/test_processes.c tests/host/host.c kernel/proc/table.c \
	kernel/sync/spinlock.c
