FS_SOURCES := tests/host/disk_mock.c tests/host/fs_machine.c tests/host/host.c tests/host/places.c tests/host/sched.c \
    kernel/fs/cache.c kernel/fs/check.c kernel/fs/directory.c kernel/fs/file.c kernel/fs/filemap.c \
    kernel/fs/filesystem.c kernel/fs/inode.c kernel/fs/log.c kernel/fs/path.c kernel/fs/pipe.c \
    kernel/lib/span.c kernel/mem/frame.c kernel/mem/pool.c kernel/sync/spinlock.c mkfs/check.c mkfs/image.c

HOST_TESTS += test_fs test_fs_damaged test_fs_tasks test_log
test_fs_SOURCES := tests/host/test_fs.c $(FS_SOURCES)
test_fs_damaged_SOURCES := tests/host/test_fs_damaged.c $(FS_SOURCES)
test_fs_tasks_SOURCES := tests/host/test_fs_tasks.c $(FS_SOURCES)
test_log_SOURCES := tests/host/test_log.c $(FS_SOURCES)
