HOST_TESTS += test_sleep
test_sleep_SOURCES := tests/host/test_sleep.c tests/host/host.c tests/host/sched.c \
	kernel/sched/clock.c kernel/sched/sleep.c kernel/sched/wait.c kernel/sync/spinlock.c
