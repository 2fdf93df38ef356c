// What a program needs: the system calls, and the headers of the library. Calls that return int
// return -1 on failure and leave the reason in errno.
#pragma once

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/memory.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "abi/terminal.h"
#include "abi/types.h"
#include "error.h"
#include "files.h"
#include "heap.h"
#include "lib/string.h"
#include "print.h"
#include "text.h"

int fork(void);

// Makes a child that uses the caller's memory, while the caller sleeps, until it calls exec or
// exit. The child must not return from the function that called vfork.
int vfork(void) __attribute__((returns_twice));

_Noreturn void exit(int status);

// Waits for a child to end and returns its pid. Stores the status that it passed to exit, or -1 if
// it was killed; status may be NULL.
int wait(int *status);

int pipe(int *fds); // fds[0] to read from, fds[1] to write to
int read(int fd, void *to, int size_bytes);
int write(int fd, const void *from, int size_bytes);
int close(int fd);
int kill(int pid);

// Returns only if it fails.
int exec(const char *path, char **args);

int open(const char *path, int flags);
int mknod(const char *path, short major, short minor);
int unlink(const char *path);
int fstat(int fd, struct stat *stat);
int link(const char *old_path, const char *new_path);
int mkdir(const char *path);
int chdir(const char *path);
int dup(int fd); // to the lowest free number
int getpid(void);

// Moves the end of the heap and returns where it was, or (char *)-1 if it cannot.
char *sbrk(int change_bytes);

// Maps length bytes, rounded up to pages, of the file from offset on, or zeroes (MAP_ANONYMOUS; fd
// is ignored). Uses the address if nothing is mapped there, and in any case with MAP_FIXED. Returns
// where the mapping is, or MAP_FAILED.
void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
int munmap(void *address, size_t length);

int sleep(int ticks);
int uptime(void); // ticks since boot, TICKS_PER_SECOND a second

int memstat(struct memstat *memstat, int flags);

// Describes up to count pages of a process, from the page at start on; returns how many.
int pagemap(int pid, uint64_t start, struct pageinfo *pages, int count);

// Describes the process with the lowest pid that is at least first_pid, and returns its pid.
int procinfo(int first_pid, struct procinfo *info);

// Returns the next key that is typed at the console, a byte, without editing or echo. Waits for at
// most that many ticks, or without limit if max_ticks is negative; -1 with EAGAIN if no key came.
int getkey(int max_ticks);

// Asks the console's terminal how wide it is and where its cursor is.
int terminal(struct terminal *terminal);

int poweroff(int status); // status: what the emulator exits with
