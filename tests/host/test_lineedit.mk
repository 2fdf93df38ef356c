HOST_TESTS += test_lineedit test_utf8
test_lineedit_SOURCES := tests/host/test_lineedit.c tests/host/screen.c tests/host/host.c \
	kernel/lib/lineedit.c kernel/lib/cluster.c kernel/lib/keys.c kernel/lib/utf8.c
test_utf8_SOURCES := tests/host/test_utf8.c tests/host/host.c kernel/lib/utf8.c
