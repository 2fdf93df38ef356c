// Which inode uses which blocks.
#pragma once

#include "findings.h"

// Notes in c->owners the blocks that the inode uses, and collects its entries if it is a directory.
// Reports blocks that are used twice, that cannot be a file's, and that are missing or too many for
// the inode's size.
void blocks_check(struct check *c, uint32_t number, const struct disk_inode *disk);
