// What the families of usertests share: system calls with arbitrary numbers, bad addresses, file
// contents that depend on the position, random numbers, and helper programs (usertests itself,
// executed under a name that starts with "+").
#pragma once

#include "cow6.h"

#define USERTESTS "/usertests"

enum {
    FIRST_FREE_FD = 3,        // the lowest that is free in a test
    STATUS_NO_ARGUMENTS = 70, // of usertests executed without any argument, not even a name
};

// ---- System calls ----

struct syscall_result {
    long value; // a0
    long error; // a1, if value is -1
};

static inline struct syscall_result raw_syscall(long number, long first, long second, long third,
                                                long fourth) {
    register long a0 __asm__("a0") = first;
    register long a1 __asm__("a1") = second;
    register long a2 __asm__("a2") = third;
    register long a3 __asm__("a3") = fourth;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a7) : "memory");
    return (struct syscall_result){a0, a1};
}

// With six arguments, the most that there are.
static inline struct syscall_result raw_syscall6(long number, long first, long second, long third,
                                                 long fourth, long fifth, long sixth) {
    register long a0 __asm__("a0") = first;
    register long a1 __asm__("a1") = second;
    register long a2 __asm__("a2") = third;
    register long a3 __asm__("a3") = fourth;
    register long a4 __asm__("a4") = fifth;
    register long a5 __asm__("a5") = sixth;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                     : "memory");
    return (struct syscall_result){a0, a1};
}

// Ends the test unless the raw system call fails with that error.
#define CHECK_REFUSED(call, expected_error) \
    do { \
        struct syscall_result result_ = (call); \
        if (result_.value != -1 || result_.error != (expected_error)) \
            FAIL("expected %s to fail with %s, saw %ld (error %ld)", #call, #expected_error, \
                 result_.value, result_.error); \
    } while (0)

// Ends the test unless the call returns -1 with one of the two errors.
#define CHECK_FAILS_EITHER(call, one, other) \
    do { \
        long result_ = (long)(call); \
        if (result_ != -1 || (errno != (one) && errno != (other))) \
            FAIL("expected %s to fail with %s or %s, saw %ld (errno %d)", #call, #one, #other, \
                 result_, errno); \
    } while (0)

// Addresses that belong to no program: in the kernel, in neither half, of devices, at the very top.
enum { BAD_ADDRESS_COUNT = 16 };
extern const uintptr_t bad_addresses[BAD_ADDRESS_COUNT];

// ---- Contents ----

extern char buffer[16 * PAGE_BYTES]; // for any test

// The byte of the pattern at a place of a file or stream. The others fill n bytes with the pattern
// from that place on, and end the test unless they have it.
uint8_t pattern_byte(size_t place);
void pattern_fill(void *bytes, size_t place, size_t n);
void pattern_check(const void *bytes, size_t place, size_t n);

// Whole files: with the pattern, with given bytes, or empty.
void file_make_pattern(const char *name, size_t size);
void file_check_pattern(const char *name, size_t size);
void file_make(const char *name, const void *bytes, size_t size);
void file_make_empty(const char *name);
int file_open(const char *name, int flags); // which must work
bool file_exists(const char *name);
struct stat file_stat(const char *name);

// Like write and read, but end the test unless all n bytes are moved.
void write_fully(int fd, const void *bytes, size_t n);
void read_fully(int fd, void *bytes, size_t n);

// "name" and a number.
char *name_with(char *out, const char *name, unsigned number);

// How many entries of a directory have that name; *inode becomes the number of the last one.
int directory_count(const char *directory, const char *name, int *inode);

int lowest_free_fd(void);

// ---- Time and chance ----

// A pseudo-random number, the same on every run; *state must not start as 0.
uint32_t random_next(uint32_t *state);

// Executes that many rounds of a loop.
void delay(unsigned rounds);

// ---- Memory ----

// Ways to access a byte.
enum touch { TOUCH_LOAD, TOUCH_STORE, TOUCH_JUMP };

void touch(const void *address, enum touch how);

// Whether a process survives the access; check_touch_kills ends the test if it does.
bool touch_works(const void *address, enum touch how);
void check_touch_kills(const void *address, enum touch how);

// The flags of the page that holds *p, as pagemap has them.
unsigned flags_at(const void *p);

// sbrk that must work.
char *heap_grow(int bytes);

// Frames in use by processes: of private pages, and of page tables.
uint64_t user_frames(void);
uint64_t table_frames(void);

// mmap that must work: of anonymous memory (MAP_ANONYMOUS is added to the flags), and of an open
// file.
char *map_pages(size_t page_count, int protection, int flags);
char *map_file(int fd, size_t offset, size_t bytes, int protection, int flags);

// munmap that must work.
void unmap_pages(void *start, size_t page_count);

static inline uintptr_t round_to_page(const void *address) {
    return ((uintptr_t)address + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

// Reserves all the memory that there is without touching it. First gives the caller pages of its
// own, so that it can continue.
void memory_reserve_all(void);

// Calls itself until `left` is 0, with some 200 bytes of stack each time; returns a positive
// number.
int descend(int left);

// ---- Waiting ----

// Waits until the process is in that state. Looks rarely, because looking at another process stops
// all harts.
void wait_until_state(pid_t pid, enum process_state state);

// Waits until the process sleeps for just this reason, and not, on its way there, for the disk.
// Then it touches no more pages until it is woken.
void wait_until_waits(pid_t pid, enum process_wait wait);

// ---- Helper programs ----

// A child that executes usertests under the name arguments[0], connected by two pipes.
struct helper {
    pid_t pid;
    int to, from; // the other ends are its fd 0 and 1
};

struct helper helper_start(char **arguments);

// As helper_start, with a copy of usertests.
struct helper program_start(const char *path, char **arguments);

// Closes both pipes, waits for the helper, and ends the test unless it has the status.
void helper_finish(struct helper *helper, int expected_status);

// Executes usertests under the name arguments[0] in a child; returns the status that wait reports.
int helper_run(char **arguments);

// The first pages of the program's text, which is larger, and a sum of their contents.
enum { TEXT_START = 0x10000, TEXT_PAGES = 12 };
uint64_t text_sum(void);

// The helper programs' main.
int helper_main(int argc, char **argv);
