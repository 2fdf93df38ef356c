// Open files: what file descriptors refer to. They have reference counts, because dup and fork
// share them.
#pragma once
#include "abi/stat.h"
#include "fs/inode.h"
#include "lib/span.h"

struct file;

// Boot: sets aside the memory for the table.
void file_init(void);

// ---- Open and close ----

// Stores in *opened, with one reference, the file that the path leads to, opened with the flags of
// abi/fcntl.h; a directory can be opened only for reading. *opened is NULL on failure. May sleep.
// Errors: those of path_lookup, path_create and inode_truncate; -EISDIR, -ENFILE.
int file_open(struct inode *cwd, const char *path, unsigned flags, struct file **opened);

// Stores the two ends of a new pipe, with one reference each. Errors: -ENFILE, -ENOMEM.
int file_open_pipe(struct file **read_end, struct file **write_end);

// Adds a reference.
struct file *file_get(struct file *f);

// Drops a reference; the last one closes the file. May sleep.
void file_put(struct file *f);

// ---- Use ----

// Move the bytes of the spans, front to back, and return how many were moved. May sleep. Errors:
// -EBADF (not opened for that), -EIO, -EPIPE, -ENOSPC, -EFBIG, -EINVAL (the file ends before the
// place to write to), -EINTR, -ENXIO (no such device). A partial transfer is not an error.
int64_t file_read(struct file *f, struct spans *to);
int64_t file_write(struct file *f, struct spans *from);

// Fills in *stat. Errors: -EBADF for a pipe.
int file_stat(struct file *f, struct stat *stat);

// Stores in *ip the inode to map, without a reference. Errors: -ENODEV (not a file), -EACCES (not
// opened for reading, or `writable` and not opened for writing).
int file_map(struct file *f, bool writable, struct inode **ip);
