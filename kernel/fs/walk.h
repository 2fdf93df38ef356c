// Walks: how the names of a path lead from one inode to the next. All of this may sleep. Common
// errors: -ENOENT, -ENOTDIR, -EIO, -ENFILE.
#pragma once
#include "fs/inode.h"

// Replaces the reference *at to a directory by one to what the name leads to, or on failure by
// NULL.
int walk_step(struct inode **at, const char *name);

// Walks along all names of the path but the last. Stores in *parent, with a reference, what the
// last name is to be looked up in, or NULL on failure, and in `name` (NAME_BYTES) that name, or "."
// if the path has none.
int walk_to_parent(struct inode *cwd, const char *path, struct inode **parent, char *name);
