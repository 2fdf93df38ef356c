// Addresses that no region covers: a program that uses one must be killed, a system call that is
// given one must fail, and the kernel must keep running. This concerns copy-on-write, because each
// of them comes to the page fault handler and to user_page first.
#include "cowtest.h"

#include "cow6.h"

static int data = 5; // there is nothing 4 GiB above it

static const uintptr_t addresses[] = {
    0,                  // the null pointer
    0x3fffffe000,       // the last pages of the user half
    0x3ffffffff8,       //
    0x4000000000,       // just above it
    0x8000000000,       // in neither half
    0x8000000000000000, //
    0xffffffc080200000, // the kernel's text
    0xfffffffffffffff8, // the very last
};

enum { ADDRESSES = ARRAY_SIZE(addresses) + 3 };

// The addresses above, and some that depend on where the program is.
static uintptr_t bad_address(size_t i) {
    if (i < ARRAY_SIZE(addresses))
        return addresses[i];
    if (i == ADDRESSES - 3)
        return (uintptr_t)sbrk(0) + PAGE_BYTES; // above the heap
    if (i == ADDRESSES - 2)
        return (uintptr_t)&data + (1ull << 32);
    return (uintptr_t)addresses / PAGE_BYTES * PAGE_BYTES + (1ull << 33);
}

static void load(uintptr_t address) {
    (void)*(volatile char *)address;
}
static void store(uintptr_t address) {
    *(volatile char *)address = 1;
}
static void jump(uintptr_t address) {
    ((void (*)(void))address)();
}

static void check_access_kills(const char *name, void (*access)(uintptr_t address),
                               uintptr_t address) {
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        access(address);
        exit(0);
    }
    int status = 0;
    TEST_WAITS("a process that uses a bad address to be killed");
    CHECK_EQUAL(pid, wait(&status), "the process that used a bad address is lost");
    if (status != TEST_STATUS_KILLED)
        FAIL("a %s 0x%lx, where nothing is mapped, did not kill the process: vm_fault must refuse "
             "an "
             "address that no region covers [expected status -1, saw %d]",
             name, address, status);
}

TEST(bad_addresses_kill_the_program) {
    for (size_t i = 0; i < ADDRESSES; i++) {
        check_access_kills("store to", store, bad_address(i));
        check_access_kills("load from", load, bad_address(i));
        check_access_kills("jump to", jump, bad_address(i));
    }
    CHECK_EQUAL(5, data,
                "a store to an address 4 GiB above went to a page of the program: is an address "
                "kept in 32 bits?");
}

#define BAD_BUFFER \
    "a system call accepts a bad address: user_page must refuse what no region of the process " \
    "covers"

TEST(system_calls_refuse_bad_addresses) {
    int fd = open(PROGRAM, O_RDONLY), fds[2];
    pipe_open(fds);
    for (size_t i = 0; i < ADDRESSES; i++) {
        char *bad = (char *)bad_address(i);
        CHECK_FAILS(write(fds[1], bad, 8), EFAULT, BAD_BUFFER);
        CHECK_FAILS(read(fd, bad, 8), EFAULT, BAD_BUFFER);
        CHECK_FAILS(fstat(fd, (struct stat *)bad), EFAULT, BAD_BUFFER);
        CHECK_FAILS(pipe((int *)bad), EFAULT, BAD_BUFFER);
        CHECK_FAILS(open(bad, O_RDONLY), EFAULT, BAD_BUFFER);
        if (i == 0)
            continue; // wait takes a null pointer
        IN_CHILD {}
        CHECK_FAILS(wait((int *)bad), EFAULT, BAD_BUFFER);
        CHECK_CHILD(0, "a wait() that was given a bad address has lost the child");
    }
}
