HOST_TESTS += test_lineedit
test_lineedit_SOURCES := tests/host/test_lineedit.c tests/host/host.c kernel/lib/lineedit.c kernel/lib/cluster.c \
	kernel/lib/keys.c kernel/lib/utf8.c
