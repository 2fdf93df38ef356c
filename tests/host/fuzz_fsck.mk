HOST_FUZZERS += fuzz_fsck
fuzz_fsck_SOURCES := tests/host/fuzz_fsck.c mkfs/check.c mkfs/image.c
