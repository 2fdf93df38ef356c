HOST_TESTS += test_medium
test_medium_SOURCES := tests/host/test_medium.c tests/host/host.c sim/devices/medium.c \
	sim/memory/paged.c
test_medium_FLAGS := -Isim
