// Which blocks and inode numbers of the disk are in use. Allocating and freeing takes an open transaction
// and may sleep.
#pragma once

#include "abi/diskformat.h"
#include "abi/stat.h"

void allocate_mount(const struct superblock *super);

// True for the numbers that a file may have blocks at; others come only from damaged disks.
bool block_is_data(uint32_t number);

// Errors: -ENOSPC, -EIO.
int block_alloc(uint32_t *number);

// Frees a block, for which block_is_data holds, and drops it from the cache.
void block_free(uint32_t number);

bool inode_number_is_valid(uint32_t number);

// Returns the block that has the inode, whose number is valid.
uint32_t inode_number_block(uint32_t number);

// Finds a free inode, which becomes an empty one of that type without links. Errors: -ENOSPC, -EIO.
int inode_number_alloc(enum file_type type, uint32_t *number);
void inode_number_free(uint32_t number);
