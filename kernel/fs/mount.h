// Mounting: how the file system starts.
#pragma once
#include "fs/inodetable.h"

// Boot: sets memory aside for the block cache and the tables, according to ram_bytes.
void fs_init(uint64_t ram_bytes);

// In a process: reads the superblock, recovers the log and stores in *root the root directory with
// a reference. May sleep. Errors: -ENODEV (no disk), -EINVAL (no cow6 file system), -EIO.
int fs_mount(struct inode **root);
