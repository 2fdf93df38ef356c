// Scalar types that the kernel, user programs and host tools agree on.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t vaddr_t; // a virtual address; a user address is a number, never a pointer
typedef uint64_t paddr_t; // a physical address
typedef int pid_t;

#ifndef static_assert
#define static_assert _Static_assert
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
