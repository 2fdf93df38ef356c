// The file system as a whole: how it starts, and which of its blocks and inode numbers are in use.
#pragma once
#include "fs/inode.h"

// Boot: sets memory aside for the block cache and the tables, according to ram_bytes.
void fs_init(uint64_t ram_bytes);
// In a process: reads the superblock, recovers the log and returns the root directory with a
// reference. May sleep. Errors: -ENODEV (no disk), -EINVAL (no cow6 file system), -EIO.
int fs_mount(struct inode **root);
// How many blocks the disk has, and inodes. Numbers start at 0.
uint32_t fs_block_count(void);
uint32_t fs_inode_count(void);

// True for the numbers that a file may have blocks at; others come only from damaged disks.
bool block_is_data(uint32_t number);
// Allocating and freeing takes an open transaction and may sleep. A freed block leaves the cache.
// Errors: -ENOSPC, -EIO.
int block_alloc(uint32_t *number);
void block_free(uint32_t number);

// Stores in *b the block of the bitmap that tells of that block, with a reference. May sleep.
// Errors: -EIO.
int bitmap_get(uint32_t number, struct block **b);

// The same for inodes. A free one becomes an empty file without links.
int inode_number_alloc(uint32_t *number);
void inode_number_free(uint32_t number);
// Stores the inode's block with a reference, and where in it the inode is. May sleep. Errors: -EIO
// (or no such number).
int inode_record_get(uint32_t number, struct block **b, struct disk_inode **record);
