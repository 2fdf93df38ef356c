HOST_TESTS += test_console
test_console_SOURCES := tests/host/test_console.c tests/host/host.c tests/host/sched.c kernel/sched/wait.c \
	kernel/dev/console.c kernel/dev/keyring.c kernel/dev/terminal.c \
	kernel/lib/lineedit.c kernel/lib/cluster.c kernel/lib/keys.c kernel/lib/utf8.c kernel/lib/span.c \
	kernel/sync/spinlock.c
