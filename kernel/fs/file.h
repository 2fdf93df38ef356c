// Open files: what a file descriptor stands for, counted, shared by dup and fork.
#pragma once
#include "abi/stat.h"
#include "fs/inode.h"
#include "lib/span.h"

struct file;

// Boot: sets the table aside.
void file_init(void);
// Opens a path with the flags of abi/fcntl.h; a directory only for reading. Stores the file with
// one reference. May sleep. Errors: as path_lookup, path_create and inode_truncate, -EISDIR,
// -ENFILE.
int file_open(struct inode *cwd, const char *path, unsigned flags, struct file **opened);
// A pipe's two ends. Errors: -ENFILE, -ENOMEM.
int file_open_pipe(struct file **read_end, struct file **write_end);
struct file *file_get(struct file *f);
void file_put(struct file *f); // may sleep
// Move what the spans hold, front to back; return the bytes moved. May sleep. Errors: -EBADF (not
// opened for that), -EIO, -EPIPE, -ENOSPC, -EFBIG, -EINVAL (the file ends before the place to write
// to), -EINTR, -ENXIO (no such device). A partial transfer is no error.
int64_t file_read(struct file *f, struct spans *to);
int64_t file_write(struct file *f, struct spans *from);
// Errors: -EBADF for a pipe.
int file_stat(struct file *f, struct stat *stat);
// Stores in *ip the inode to map, without a reference. Errors: -ENODEV (not a file), -EACCES (not
// opened for reading, or writable and not opened for writing).
int file_map(struct file *f, bool writable, struct inode **ip);
