// Many processes use the same files at the same time: none waits forever, and nothing is lost.
#define TEST_FAMILY "together"
#include "test.h"

#include "support.h"

enum { DIRECT_PAGES = 10, FILE_PAGES = 13 }; // all but the direct ones need a block of pointers

// Ends the test unless the file system's checker finds nothing new.
static void check_files(uint64_t broken_before) {
    struct memstat stat;
    CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK_FILES));
    CHECK_EQUAL(broken_before, stat.violations);
}

static uint64_t files_broken(void) {
    struct memstat stat;
    CHECK_EQUAL(0, memstat(&stat, MEMSTAT_CHECK_FILES));
    return stat.violations;
}

// Makes and removes a few names, whether they exist or not.
static void create_and_remove(uint32_t seed, bool directories, int rounds) {
    static const char *const names[] = {"xx", "yy"};
    for (int i = 0; i < rounds; i++) {
        const char *name = names[random_next(&seed) % 2];
        uint32_t what = random_next(&seed) % 4;
        if (what < 2)
            unlink(name);
        else if (what == 2 && directories)
            mkdir(name);
        else
            close(open(name, O_CREATE | O_RDWR));
    }
}

TEST(create_and_unlink_leak_nothing) {
    enum { CHILDREN = 4, ROUNDS = 1500 };
    uint64_t broken = files_broken();
    for (int directories = 0; directories < 2; directories++) {
        for (uint32_t child = 1; child <= CHILDREN; child++) {
            IN_CHILD {
                create_and_remove(child, directories, ROUNDS);
            }
        }
        CHECK_CHILDREN(CHILDREN);
        check_files(broken);
        unlink("xx");
        unlink("yy");
    }
}

// Grows the file, maps it shared and reads it; while it is mapped it must not lose its pages.
static void map_again_and_again(int rounds) {
    for (int i = 0; i < rounds; i++) {
        int fd = open("file", O_RDWR);
        CHECK(fd >= 0);
        write(fd, buffer, 3 * PAGE_BYTES);
        struct stat before, after;
        char *start = mmap(NULL, 3 * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        CHECK(start != MAP_FAILED);
        CHECK_EQUAL(0, fstat(fd, &before));
        for (size_t page = 0; page < before.size / PAGE_BYTES && page < 3; page++)
            CHECK_EQUAL('m', *(volatile char *)(start + page * PAGE_BYTES));
        CHECK_EQUAL(0, fstat(fd, &after));
        CHECK(after.size >= before.size);
        CHECK_EQUAL(0, munmap(start, 3 * PAGE_BYTES));
        CHECK_EQUAL(0, close(fd));
    }
}

TEST(mapped_files_are_never_truncated) {
    enum { CHILDREN = 4, ROUNDS = 500 };
    memset(buffer, 'm', 3 * PAGE_BYTES);
    file_make_empty("file");
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            if (child % 2 == 0) {
                map_again_and_again(ROUNDS);
            } else {
                for (int i = 0; i < ROUNDS; i++)
                    close(open("file", O_TRUNC | O_RDWR));
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
}

// Maps pages of the file until the kernel maps only copies, and other pages until no more can be
// reserved.
static void map_much(void) {
    enum { PRIVATE_PAGES = 400, SHARED_PAGES = 32 };
    int fd = open("mapped", O_RDWR);
    char *start = map_file(fd, 0, PRIVATE_PAGES * PAGE_BYTES, PROT_READ, MAP_PRIVATE);
    for (size_t i = 0; i < PRIVATE_PAGES; i++)
        (void)*(volatile char *)(start + i * PAGE_BYTES);
    for (size_t offset = PRIVATE_PAGES * PAGE_BYTES;; offset += SHARED_PAGES * PAGE_BYTES) {
        start = mmap(NULL, SHARED_PAGES * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, offset);
        if (start == MAP_FAILED)
            break;
        for (size_t i = 0; i < SHARED_PAGES; i++)
            (void)*(volatile char *)(start + i * PAGE_BYTES);
    }
    CHECK_EQUAL(0, close(fd));
}

// Reads pages of the file one by one, which takes little memory.
static void read_pages(int fd, size_t first, size_t end) {
    char page[PAGE_BYTES];
    for (size_t i = first; i < end; i++) {
        read_fully(fd, page, PAGE_BYTES);
        pattern_check(page, i * PAGE_BYTES, PAGE_BYTES);
    }
}

// Reads a file up to where its block of pointers is needed, and the rest when all readers have come
// that far.
static void read_in_two_parts(const char *name, int ready, int go) {
    char byte = 'r';
    int fd = open(name, O_RDONLY);
    read_pages(fd, 0, DIRECT_PAGES);
    write_fully(ready, &byte, 1);
    CHECK_EQUAL(0, read(go, &byte, 1)); // end of file: all have come that far
    read_pages(fd, DIRECT_PAGES, FILE_PAGES);
    CHECK_EQUAL(0, close(fd));
}

// With 32 MiB of memory, fewer slots of the block cache are left than there are readers.
TEST_SLOW(many_read_while_much_is_mapped) {
    enum { READERS = 192, MAPPED_BYTES = 4 << 20 };
    char name[NAME_BYTES + 1];
    int ready[2], go[2];
    CHECK_EQUAL(0, pipe(ready));
    CHECK_EQUAL(0, pipe(go));
    for (unsigned i = 0; i < READERS; i++)
        file_make_pattern(name_with(name, "f", i), FILE_PAGES * PAGE_BYTES);
    file_make_pattern("mapped", MAPPED_BYTES);
    for (unsigned i = 0; i < READERS; i++) {
        IN_CHILD {
            CHECK_EQUAL(0, close(go[1]));
            read_in_two_parts(name_with(name, "f", i), ready[1], go[0]);
        }
    }
    for (unsigned i = 0; i < READERS; i++)
        read_fully(ready[0], name, 1);
    map_much();
    CHECK_EQUAL(0, close(go[1]));
    CHECK_CHILDREN(READERS);
    for (unsigned i = 0; i < READERS; i++)
        unlink(name_with(name, "f", i));
}
