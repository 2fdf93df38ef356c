// Walks: following the names of a path from one inode to the next. Common errors: -ENOENT,
// -ENOTDIR, -EIO, -ENFILE.
#pragma once
#include "fs/inode.h"

struct walk {
    struct inode *at;   // NULL after an error
    bool has_reference; // to `at`; it has none to the inode in which it began
    union name name;    // to follow next
};

// Sets the directory in which paths begin that start with a slash. Takes over the caller's
// reference.
void walk_set_root(struct inode *root);

// Begins a walk that follows all names of the path but the last, which it leaves in w->name, or "."
// if the path has no name. May sleep.
int walk_to_parent(struct walk *w, struct inode *cwd, const char *path);

// Follows w->name. May sleep.
int walk_step(struct walk *w);

// Ends the walk. Returns the inode to which it has led, with a reference for the caller; NULL after
// an error.
struct inode *walk_end(struct walk *w);
