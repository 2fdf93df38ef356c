// Directories and their entries. For all functions but directory_lock_to_find, the caller has
// locked the directory; to change it, locked it alone and opened a transaction. They may sleep.
// Common errors: -EIO.
#pragma once
#include "fs/inode.h"

extern const union name NAME_DOT, NAME_DOT_DOT; // "." and ".."

// Locks the directory for directory_find: shared with other tasks if it is indexed, so that they
// can search it at the same time, else alone, so that directory_find can index it.
void directory_lock_to_find(struct inode *dir);

// Stores the entry's inode number and place; the number is 0 if there is no entry of that name.
// Errors: -ENOENT (the directory has been removed).
int directory_find(struct inode *dir, const union name *name, uint32_t *number, uint32_t *place);

// Adds an entry of a name that the directory does not have yet. Errors: -ENOSPC.
int directory_add(struct inode *dir, const union name *name, uint32_t number);

// Removes the entry of that name, which is at that place.
int directory_remove(struct inode *dir, const union name *name, uint32_t place);

// Checks that the directory is empty. Errors: -ENOTEMPTY if it has entries other than "." and "..".
int directory_check_empty(struct inode *dir);

// Tells whether the directory may have an entry for the inode, other than "." and "..", and prints
// a line if not: a damaged directory may name an inode that was removed, or a directory that
// belongs elsewhere.
bool directory_may_name(const struct inode *dir, const struct inode *ip);
