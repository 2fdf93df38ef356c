// Why a system call failed.
#pragma once

extern int errno; // of the last system call that failed

// The number in words; the string is valid forever.
const char *strerror(int error);

// Writes "prefix: reason" to fd 2, the reason being errno's.
void perror(const char *prefix);
