FS_SOURCES := $(patsubst %,tests/host/%.c,disk_mock fs_machine host places sched) \
    $(wildcard kernel/fs/*.c) kernel/lib/span.c kernel/mem/frame.c kernel/mem/pool.c \
    kernel/sched/wait.c kernel/sync/spinlock.c $(MKFS_SHARED)

HOST_TESTS += test_fs test_fs_damaged test_fs_tasks test_log
test_fs_SOURCES := $(patsubst %,tests/host/%.c,fs_work test_fs test_fs_mapped test_fs_pipes) \
    $(patsubst %,tests/host/%.c,test_fs_power test_fs_errors test_fs_names) $(FS_SOURCES)
test_fs_damaged_SOURCES := tests/host/test_fs_damaged.c $(FS_SOURCES)
test_fs_tasks_SOURCES := tests/host/test_fs_tasks.c tests/host/test_fs_readers.c $(FS_SOURCES)
test_log_SOURCES := tests/host/test_log.c tests/host/test_log_attacks.c $(FS_SOURCES)
