// Directories and their entries. Names have NAME_BYTES bytes, padded with zeros. For all functions
// named directory_..., the caller has locked the directory and, to change it, opened a transaction.
// They may sleep. Common errors: -EIO.
#pragma once
#include "fs/inode.h"

// ---- Names ----

extern const char NAME_DOT[NAME_BYTES], NAME_DOT_DOT[NAME_BYTES]; // "." and ".."

bool name_is_same(const char *a, const char *b);

// True for "." and "..".
bool name_is_dots(const char *name);

// ---- Entries ----

// Stores the entry's inode number and offset; the number is 0 if there is no entry of that name.
// Errors: -ENOENT (the directory has been removed).
int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset);

// Adds an entry of a name that the directory does not have yet. Errors: -ENOSPC.
int directory_add(struct inode *dir, const char *name, uint32_t number);

// Removes the entry at that offset.
int directory_remove(struct inode *dir, uint64_t offset);

// Checks that the directory is empty. Errors: -ENOTEMPTY if it has entries other than "." and "..".
int directory_check_empty(struct inode *dir);

// Tells whether the directory may have an entry for the inode, other than "." and "..", and prints
// a line if not: a damaged directory may name an inode that was removed, or a directory that
// belongs elsewhere.
bool directory_may_name(const struct inode *dir, const struct inode *ip);
