HOST_TESTS += test_schedule
test_schedule_SOURCES := tests/host/test_schedule.c tests/host/host.c \
	kernel/sched/schedule.c kernel/sched/clock.c kernel/sync/spinlock.c
