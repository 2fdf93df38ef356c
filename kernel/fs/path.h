// Paths: from names to inodes, and the operations on names. A path is a string of at most
// PATH_BYTES; a relative one starts at cwd. All functions may sleep and open transactions. Common
// errors: -ENOENT, -ENOTDIR, -EIO, -ENFILE.
#pragma once
#include "fs/inode.h"

// Stores in *found the inode with a reference; NULL on failure.
int path_lookup(struct inode *cwd, const char *path, struct inode **found);

// Stores in *created, with a reference, a new file, directory or device, or for T_FILE a file or
// device that exists already; NULL on failure. Errors: -EEXIST, -EISDIR (a directory exists, for
// T_FILE), -ENOSPC, -EMLINK.
int path_create(struct inode *cwd, const char *path, enum file_type type, unsigned major,
                unsigned minor, struct inode **created);

// Gives the file or device at old_path a second name. Errors: -EPERM (a directory), -EEXIST,
// -EMLINK, -ENOSPC.
int path_link(struct inode *cwd, const char *old_path, const char *new_path);

// Removes the name. Errors: -EPERM ("." or ".."), -ENOTEMPTY.
int path_unlink(struct inode *cwd, const char *path);
