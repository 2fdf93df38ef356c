HOST_FUZZERS += fuzz_fsck
fuzz_fsck_SOURCES := tests/host/fuzz_fsck.c $(MKFS_SHARED)
