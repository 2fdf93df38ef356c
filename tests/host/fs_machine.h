// A small machine for tests of the file system: memory, a disk in memory (disk_mock.h), and the
// calls that such tests make most often. Those that say so fail the test; the others return what
// the kernel returns.
#pragma once

#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/types.h"
#include "disk_mock.h"
#include "fs/file.h"
#include "fs/log.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "mem/frame.h"
#include "sched/schedule.h"
#include "test.h"

enum { MACHINE_RAM = 8 << 20 }; // bytes

// ---- The machine ----

// The root directory of the mounted disk.
extern struct inode *root;

// Boots with `ram` bytes of memory and mounts the disk as it is. A kernel boots only once, so a
// test does a second boot in a process of its own. Errors: those of fs_mount.
int mount_disk(size_t ram);

// Formats the disk and boots with MACHINE_RAM; fails the test if that fails.
void start(uint32_t blocks, uint32_t inodes, uint32_t log_blocks);

// Fails the test unless fsck finds the disk consistent.
void check_disk(void);

// Runs that many tasks, each with its number as argument, in an order that the seed decides.
void run_tasks(unsigned count, void (*body)(void *), uint64_t seed);

// Memory that is shared with the processes that IN_PROCESS makes.
void *shared_memory(size_t bytes);

// The frames that the kernel counts.
struct memstat frame_counts(void);

// ---- Files ----

// Opens a file; fails the test if that fails.
struct file *open_file(const char *path, unsigned flags);

// Finds a file or directory; fails the test if that fails. The caller owns the reference.
struct inode *find_inode(const char *path);

// Opens a file and closes it again. Errors: those of file_open.
int open_and_close(const char *path, unsigned flags);

// Move one span of memory. Errors: those of file_write, file_read.
int64_t write_bytes(struct file *f, const void *from, size_t n);
int64_t read_bytes(struct file *f, void *to, size_t n);

// Gives a file, new or not, these contents; fails the test if that fails.
void write_file(const char *path, const void *from, size_t n);

// Fills memory with bytes that the seed decides.
void fill(char *p, size_t n, uint32_t seed);

// Fails the test unless the file has these n bytes.
void check_file(const char *path, size_t n, uint32_t seed);

// What fstat says of the file; fails the test if there is none.
struct stat stat_of(const char *path);

// Makes an empty file, a directory or a device (the console). Errors: those of path_create.
int make(const char *path, enum file_type type);

// The number of the inode that the path leads to; fails the test if there is none.
uint32_t number_of(const char *path);

// Changes an entry of a directory without the file system's noticing, as damage of the disk does.
void set_entry(const char *directory, unsigned index, const char *name, uint32_t number);
