HOST_TESTS += test_wait
test_wait_SOURCES := tests/host/test_wait.c tests/host/host.c tests/host/sched.c \
	kernel/sched/mutex.c kernel/sched/wait.c kernel/sync/spinlock.c
