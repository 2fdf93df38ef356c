CONSOLE_SOURCES := tests/host/console_port.c tests/host/host.c tests/host/sched.c \
	kernel/sched/wait.c kernel/dev/console.c kernel/dev/keyring.c kernel/dev/terminal.c \
	kernel/lib/lineedit.c kernel/lib/cluster.c kernel/lib/keys.c kernel/lib/utf8.c kernel/lib/span.c \
	kernel/sync/spinlock.c

HOST_TESTS += test_console test_terminal
test_console_SOURCES := tests/host/test_console.c $(CONSOLE_SOURCES)
test_terminal_SOURCES := tests/host/test_terminal.c $(CONSOLE_SOURCES)
