// Paths and directories.
#pragma once

#include "abi/stat.h"

// Fills *stat. Returns 0, or -1 with errno set.
int stat(const char *path, struct stat *stat);

// Returns the part of a path after the last slash.
const char *path_base(const char *path);

// Stores directory/name in size bytes. Returns 0, or -1 with errno set if it does not fit.
int path_join(char *out, size_t size, const char *directory, const char *name);

// True if there is such a file, and it begins as a program does.
bool is_program(const char *directory, const char *name);

// Stores the path that a file gets when it is moved or copied to target: target/name if target is a
// directory, else target. Returns 0, or -1 with errno set if it does not fit.
int path_for_copy(char *out, size_t size, const char *target, const char *source);

// Reads the rest of the open file into a block of malloc with room for at least one byte more.
// Returns its size, or -1 with errno set.
int file_read(int fd, char **contents);

// Returns the sorted names in the directory that fd reads, without "." and "..", and stores their
// number. They are one block of malloc. Returns NULL on failure, with errno set.
char **directory_names(int fd, size_t *count);

// Makes fd `to` refer to the open file `from`, and closes `from`. All descriptors below `to` must
// be open. Returns 0, or -1 with errno set.
int fd_move(int from, int to);
