// Directories: names, and what they say about the inodes that they name.
#pragma once

#include "findings.h"

// Checks the entries that blocks_check has collected of the directory, and notes which inodes they
// name.
void directory_check(struct check *c, uint32_t number, const struct disk_inode *disk);

// When all directories have been checked: compares an inode's link count with its names and, if it
// is a directory, checks that it has one place in the tree.
void links_check(struct check *c, uint32_t number);
