// Walks: following the names of a path from one inode to the next. All functions may sleep. Common
// errors: -ENOENT, -ENOTDIR, -EIO, -ENFILE.
#pragma once
#include "fs/inode.h"

// Drops the reference *at to a directory, and stores in *at a reference to what the name leads to,
// or NULL on failure.
int walk_step(struct inode **at, const union name *name);

// Walks along all names of the path but the last. Stores in *parent, with a reference, the inode in
// which to look up the last name, or NULL on failure; and in *name the last name, or "." if the
// path has no name.
int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, union name *name);
