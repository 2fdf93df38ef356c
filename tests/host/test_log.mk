HOST_TESTS += test_log
test_log_SOURCES := tests/host/test_log.c tests/host/disk_mock.c tests/host/host.c tests/host/sched.c \
    kernel/fs/cache.c kernel/fs/file.c kernel/fs/filesystem.c \
    kernel/fs/inode.c kernel/fs/log.c kernel/fs/path.c kernel/fs/pipe.c \
    kernel/lib/span.c kernel/mem/frame.c kernel/mem/pool.c kernel/sync/spinlock.c mkfs/check.c mkfs/image.c
