HOST_TESTS += test_disk
test_disk_SOURCES := tests/host/test_disk.c tests/host/host.c tests/host/sched.c \
	kernel/sched/wait.c kernel/sync/spinlock.c
