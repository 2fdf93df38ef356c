// The file system's checker. It finds what no program would notice: inodes that have no name and
// are not open, blocks that belong to no file, and wrong counts of links. fsck (mkfs/check.c) finds
// more, but needs the machine to be off.
#pragma once
#include "abi/types.h"

// Stores the number of violations, and prints a line for each of the first ones. Waits until no
// transaction is open; none begins meanwhile. May sleep. Errors: -ENOMEM, -EIO, -EINTR.
int fs_check(uint64_t *violations);
