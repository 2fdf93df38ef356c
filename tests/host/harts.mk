# The linker does not get -fsanitize=thread: observed.c takes the place of the compiler's runtime.
HOST_TESTS += test_harts
test_harts_SOURCES := tests/host/test_harts.c tests/host/observed.c tests/host/host.c \
	kernel/mem/frame.c kernel/mem/pool.c kernel/sync/spinlock.c \
	$(patsubst %,kernel/vm/%.c,cow faultcount forktable pagetable table tree)
test_harts_FLAGS := -fno-sanitize=address -fsanitize=thread

HOST_TESTS += test_harts_mutex
test_harts_mutex_SOURCES := tests/host/test_harts_mutex.c tests/host/observed.c tests/host/host.c \
	kernel/sched/mutex.c kernel/sched/wait.c kernel/sync/spinlock.c
test_harts_mutex_FLAGS := $(test_harts_FLAGS)
