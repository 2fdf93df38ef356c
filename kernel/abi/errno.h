// Error numbers (Linux's values). The kernel returns them negated; user programs read errno.
#pragma once

enum {
    EPERM = 1,         // operation not permitted
    ENOENT = 2,        // no such file or directory
    ESRCH = 3,         // no such process
    EINTR = 4,         // killed while waiting
    EIO = 5,           // input/output error, or damaged file system
    ENXIO = 6,         // no such device
    E2BIG = 7,         // argument list too long
    ENOEXEC = 8,       // not an executable this kernel can run
    EBADF = 9,         // bad file descriptor
    ECHILD = 10,       // no child processes
    EAGAIN = 11,       // no free process
    ENOMEM = 12,       // out of memory
    EACCES = 13,       // permission denied
    EFAULT = 14,       // bad address
    EBUSY = 16,        // in use
    EEXIST = 17,       // file exists
    EXDEV = 18,        // link to another device
    ENODEV = 19,       // operation not supported by the device
    ENOTDIR = 20,      // not a directory
    EISDIR = 21,       // is a directory
    EINVAL = 22,       // invalid argument
    ENFILE = 23,       // too many open files in the system
    EMFILE = 24,       // too many open files in the process
    EFBIG = 27,        // file too large
    ENOSPC = 28,       // no space left on the disk, or no free inode
    EMLINK = 31,       // too many links
    EPIPE = 32,        // pipe without a reader
    ENAMETOOLONG = 36, // path too long
    ENOSYS = 38,       // no such system call
    ENOTEMPTY = 39,    // directory not empty
};
