// The entries of directories: found, reused and counted by way of the index, also when it has no
// room for all of them.
#include "fs/directory.h"
#include "fs_machine.h"
#include "lib/format.h"

enum {
    RING = MACHINE_RAM / 2048, // entries that the index has room for
    MANY = 3008,               // of which it can hold those of one directory, but not of two
};

static const char *path_of(const char *directory, unsigned i) {
    static char path[64];
    format(path, sizeof path, "%s/%u", directory, i);
    return path;
}

// Gives /file a name in the directory; several share a transaction.
static void add_names(const char *directory, unsigned first, unsigned end) {
    for (unsigned i = first; i < end; i++) {
        if (i % 16 == 0)
            CHECK_EQUAL(0, log_begin());
        CHECK_EQUAL(0, path_link(root, "/file", path_of(directory, i)));
        if (i % 16 == 15)
            CHECK_EQUAL(0, log_end());
    }
}

static void check_names(const char *directory, unsigned step) {
    for (unsigned i = 0; i < MANY; i += step) {
        CHECK_EQUAL(0, open_and_close(path_of(directory, i), O_RDONLY));
        CHECK_EQUAL(-EEXIST, path_link(root, "/file", path_of(directory, i)));
        CHECK_EQUAL(-ENOENT, open_and_close(path_of(directory, 9000 + i), O_RDONLY));
    }
}

static void start_with_file(void) {
    start(1000, 100, 100);
    CHECK_EQUAL(0, make("/file", T_FILE));
    CHECK_EQUAL(0, make("/d", T_DIR));
}

TEST(removed_names_are_gone_and_their_entries_used_again) {
    start_with_file();
    add_names("/d", 0, 256);
    uint64_t size = stat_of("/d").size;
    for (unsigned i = 0; i < 256; i += 2)
        CHECK_EQUAL(0, path_unlink(root, path_of("/d", i)));
    for (unsigned i = 0; i < 256; i++)
        CHECK_EQUAL(i % 2 ? 0 : -ENOENT, open_and_close(path_of("/d", i), O_RDONLY));
    add_names("/d", 256, 256 + 128);
    CHECK_EQUAL(size, stat_of("/d").size);
    CHECK_EQUAL(0, path_link(root, "/file", "/d/0"));
    CHECK_EQUAL(size + sizeof(struct dirent), stat_of("/d").size);
    check_disk();
}

TEST(directories_that_share_the_index_displace_each_other) {
    static_assert(MANY < RING && 2 * MANY > RING, "the index has room for one of the two");
    start_with_file();
    CHECK_EQUAL(0, make("/e", T_DIR));
    add_names("/d", 0, MANY);
    add_names("/e", 0, MANY);
    for (int round = 0; round < 3; round++) {
        check_names("/d", 97);
        check_names("/e", 89);
        CHECK_EQUAL(0, path_unlink(root, path_of("/d", 97)));
        CHECK_EQUAL(-ENOENT, path_unlink(root, path_of("/d", 97)));
        CHECK_EQUAL(0, path_unlink(root, path_of("/e", 89)));
        CHECK_EQUAL(-ENOENT, path_unlink(root, path_of("/e", 89)));
        CHECK_EQUAL(0, path_link(root, "/file", path_of("/d", 97)));
        CHECK_EQUAL(0, path_link(root, "/file", path_of("/e", 89)));
    }
    check_disk();
}

TEST(directory_may_have_more_entries_than_the_index) {
    start_with_file();
    add_names("/d", 0, RING + 16);
    check_names("/d", 501);
    uint64_t size = stat_of("/d").size;
    CHECK_EQUAL(0, path_unlink(root, path_of("/d", RING)));
    CHECK_EQUAL(-ENOENT, path_unlink(root, path_of("/d", RING)));
    CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "/d"));
    CHECK_EQUAL(0, path_link(root, "/file", "/d/new"));
    CHECK_EQUAL(-EEXIST, path_link(root, "/file", "/d/new"));
    CHECK_EQUAL(size, stat_of("/d").size);
    check_disk();
}

// The names fill the index twice in the course of the test.
TEST(directory_becomes_empty_when_its_last_name_is_removed) {
    start_with_file();
    for (unsigned round = 0; round < 3; round++) {
        add_names("/d", 0, MANY);
        for (unsigned i = 0; i < MANY; i++) {
            if (i % 500 == 0)
                CHECK_EQUAL(-ENOTEMPTY, path_unlink(root, "/d"));
            CHECK_EQUAL(0, path_unlink(root, path_of("/d", i)));
        }
        CHECK_EQUAL(0, path_unlink(root, "/d"));
        CHECK_EQUAL(-ENOENT, path_unlink(root, "/d"));
        CHECK_EQUAL(0, make("/d", T_DIR));
        CHECK_EQUAL(-ENOENT, open_and_close("/d/1", O_RDONLY));
    }
    check_disk();
}

// As on a damaged disk: the block of the directory belongs to a file as well.
static void overwrite_entry(unsigned index, const char *name) {
    struct block *b;
    struct inode *d = find_inode("/d");
    struct dirent e = {.inum = (uint16_t)number_of("/file")};
    memcpy(e.name, name, strlen(name));
    CHECK_EQUAL(0, cache_get(d->disk.direct[0], &b));
    ((struct dirent *)b->data)[index] = e;
    cache_put(b);
    inode_put(d);
}

TEST(changed_entry_is_neither_removed_nor_used_again) {
    start_with_file();
    add_names("/d", 0, 16);
    overwrite_entry(2, "other");
    CHECK_EQUAL(-EIO, path_unlink(root, "/d/0"));
    CHECK_EQUAL(-ENOENT, path_unlink(root, "/d/0")); // the directory was read again
    CHECK_EQUAL(0, path_unlink(root, "/d/other"));
    overwrite_entry(2, "third");
    CHECK_EQUAL(-EIO, path_link(root, "/file", "/d/new"));
    CHECK_EQUAL(0, path_link(root, "/file", "/d/new"));
    CHECK_EQUAL(0, open_and_close("/d/third", O_RDONLY));
}

static void add_and_remove(void *argument) {
    const char *directory = argument == NULL ? "/d" : "/e";
    for (unsigned i = 0; i < 300; i++) {
        char path[64];
        format(path, sizeof path, "%s/%u", directory, MANY + host_random(20));
        if (path_link(root, "/file", path) == 0)
            CHECK_EQUAL(0, open_and_close(path, O_RDONLY));
        else
            CHECK_EQUAL(0, path_unlink(root, path));
    }
}

// While one task adds names, the other's directory may lose its place in the index at any moment.
TEST(tasks_that_share_the_index_do_not_lose_names) {
    start_with_file();
    CHECK_EQUAL(0, make("/e", T_DIR));
    add_names("/d", 0, MANY);
    add_names("/e", 0, MANY);
    run_tasks(2, add_and_remove, 1);
    check_names("/d", 97);
    check_names("/e", 97);
    check_disk();
}

// ---- A number that is used again at once ----

static bool is_awaited;

// Makes another directory while the task that has freed an inode's number still holds the inode.
static void make_directory_meanwhile(unsigned rank) {
    if (!is_awaited || rank != RANK_INODE)
        return;
    is_awaited = false;
    CHECK_EQUAL(0, make("e", T_DIR));
}

TEST(new_directory_does_not_get_the_index_of_an_old_one) {
    enum { FILES = 600 };
    char name[16];
    start(2000, 1000, 100);
    CHECK_EQUAL(0, make("d", T_DIR));
    struct inode *old = find_inode("d");
    for (int removes = 0; removes < 2; removes++) {
        for (unsigned i = 0; i < FILES; i++) {
            snprintf(name, sizeof name, "d/f%u", i);
            if (removes)
                CHECK_EQUAL(0, path_unlink(root, name));
            else
                CHECK_EQUAL(0, make(name, T_FILE));
        }
    }
    CHECK_EQUAL(0, path_unlink(root, "d"));
    uint32_t number = old->number;
    host_after_unlock = make_directory_meanwhile;
    is_awaited = true;
    inode_put(old);
    host_after_unlock = NULL;
    struct inode *new = find_inode("e");
    CHECK_EQUAL(number, new->number);
    inode_put(new);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(0, make("e/x", T_FILE));
        CHECK_EQUAL(0, path_unlink(root, "e/x"));
    }
    check_disk();
}
