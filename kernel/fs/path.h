// Paths: from names to inodes, and the operations on names. A path is a string of at most
// PATH_BYTES; a relative one starts at cwd. All of this may sleep and opens transactions. Common
// errors: -ENOENT, -ENOTDIR, -EIO, -ENFILE.
#pragma once
#include "fs/inode.h"

// Stores the inode with a reference for the caller.
int path_lookup(struct inode *cwd, const char *path, struct inode **found);
// Finds or makes a file (an existing file or device is fine for T_FILE; anything else existing is
// -EEXIST, a directory for T_FILE -EISDIR). Returns it with a reference. Errors: -ENOSPC, -EMLINK.
int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major,
                unsigned minor, struct inode **created);
// Errors: -EPERM (link of a directory; unlink of "." or ".."), -EEXIST, -ENOTEMPTY, -EMLINK,
// -ENOSPC.
int path_link(struct inode *cwd, const char *old_path, const char *new_path);
int path_unlink(struct inode *cwd, const char *path);
