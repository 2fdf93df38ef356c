// Directories: the entries of one. Names have NAME_BYTES bytes, padded with zeros. The caller has
// locked the directory, and for changes opened a transaction. All but same_name may sleep. Common
// errors: -EIO.
#pragma once
#include "fs/inode.h"

extern const char NAME_DOT[NAME_BYTES], NAME_DOT_DOT[NAME_BYTES]; // "." and ".."

bool same_name(const char *a, const char *b);

// Stores the inode number and the place of the entry; number 0 if there is none of that name.
// Errors: -ENOENT (the directory has been removed).
int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset);

// Adds an entry, which does not exist. Errors: -ENOSPC.
int directory_add(struct inode *dir, const char *name, uint32_t number);

// Removes the entry at that place.
int directory_remove(struct inode *dir, uint64_t offset);

// Errors: -ENOTEMPTY if there are entries besides "." and "..".
int directory_check_empty(struct inode *dir);
