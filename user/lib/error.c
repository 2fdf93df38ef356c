// The error numbers of abi/errno.h in words.

#include "error.h"

#include "abi/errno.h"
#include "abi/types.h"
#include "print.h"

int errno;

static const char *const texts[] = {
    [0] = "no error",
    [EPERM] = "operation not permitted",
    [ENOENT] = "no such file or directory",
    [ESRCH] = "no such process",
    [EINTR] = "interrupted",
    [EIO] = "input/output error",
    [ENXIO] = "no such device",
    [E2BIG] = "argument list too long",
    [ENOEXEC] = "not a program that can run here",
    [EBADF] = "bad file descriptor",
    [ECHILD] = "no child processes",
    [EAGAIN] = "try again later (no free process, or no key)",
    [ENOMEM] = "out of memory",
    [EACCES] = "permission denied",
    [EFAULT] = "bad address",
    [EBUSY] = "in use",
    [EEXIST] = "file exists",
    [ENODEV] = "operation not supported by the device",
    [ENOTDIR] = "not a directory",
    [EISDIR] = "is a directory",
    [EINVAL] = "invalid argument",
    [ENFILE] = "too many open files in the system",
    [EMFILE] = "too many open files",
    [EFBIG] = "file too large",
    [ENOSPC] = "no space left on the disk",
    [EMLINK] = "too many links",
    [EPIPE] = "the pipe has no reader",
    [ENAMETOOLONG] = "path too long",
    [ENOSYS] = "no such system call",
    [ENOTEMPTY] = "directory not empty",
};

const char *strerror(int error) {
    if (error < 0 || (size_t)error >= ARRAY_SIZE(texts) || texts[error] == NULL)
        return "unknown error";
    return texts[error];
}

void perror(const char *prefix) {
    fprintf(2, "%s: %s\n", prefix, strerror(errno));
}
