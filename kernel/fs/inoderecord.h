// What the disk says of an inode: whether it can be true, and how it is read.
#pragma once
#include "fs/cache.h"

// Tells whether the record can be that of an inode in use, that is, whether its fields are
// plausible.
bool inode_is_sane(const struct disk_inode *disk);

// Reads the inode of that number into *disk, and into *parent which inode the ".." of a directory
// names, 0 if it has none. Returns whether it is in use and sane. May sleep.
bool inode_read_record(uint32_t number, struct disk_inode *disk, uint32_t *parent);
