// The file system's checker. It finds what no program would notice: inodes without names that
// nobody has open, blocks that belong to no file, and counts that do not fit. fsck (mkfs/check.c)
// finds more, but needs the machine to be off.
#pragma once
#include "abi/types.h"

// Stores the number of violations and names them on the console. Waits for open transactions to
// end; none begins meanwhile. May sleep. Errors: -ENOMEM, -EIO, -EINTR.
int fs_check(uint64_t *violations);
