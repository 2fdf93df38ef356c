// Directories: files of 16-byte entries. All calls take the directory locked and may sleep; names have
// NAME_BYTES, padded with zeros.
#pragma once

#include "fs/inode.h"

// Stores the inode number and the place of the entry. Errors: -ENOENT, -EIO.
int directory_find(struct inode *dir, const char *name, uint32_t *number, uint64_t *offset);

// Add or remove an entry, in the open transaction. The name must not exist. Errors: -ENOSPC, -EIO.
int directory_add(struct inode *dir, const char *name, uint32_t number);
int directory_remove(struct inode *dir, uint64_t offset);

// Errors: -ENOTEMPTY if there is anything but "." and "..", -EIO.
int directory_check_empty(struct inode *dir);
