// A mock of files, their cache and the log, for tests of mem and vm. The files are in memory, and
// so is the disk.
#pragma once

#include "abi/types.h"
#include "fs/inode.h"
#include "mem/frame.h"

enum { FILE_FRAMES = 96 }; // what the cache of files has: shared mappings may reserve a quarter

// Boot: sets the cache's frames aside.
void file_cache_init(void);

// A file with one reference; it stays valid without one. The byte at each offset is file_byte of
// the offset, until a store through a shared mapping changes it.
struct inode *file_make(size_t bytes);
uint8_t file_byte(uint64_t offset);

// What the disk has of the file, which changes when a page is written back; how many pages were
// written back, and in how many transactions.
uint8_t file_saved(const struct inode *ip, uint64_t offset);
extern unsigned file_saves, file_transactions;
extern int log_error; // what the next calls of log_begin return, if not 0
size_t file_reserved(void);
extern int file_error;         // what the next calls of inode_page and inode_read return, if not 0
extern size_t file_mapped_max; // inode_page gives pages only while fewer cache frames are mapped
void file_cut(struct inode *ip, size_t bytes);

// The cache gives up its frame of that page of the file, which stays with the processes that map
// it, and takes a new one.
void file_forget(struct inode *ip, size_t page);
struct frame *file_frame(const struct inode *ip, size_t page);

// How many of the cache's frames, which are not among those for frame_alloc, are in use.
size_t file_adopted(void);

// Fails the test there unless no page of the cache is reserved and no file in use.
void file_check_all_back(const char *test_file, int test_line);
