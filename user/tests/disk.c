// The disk: full of blocks, out of inodes, and all of it free again afterwards.
#define TEST_FAMILY "disk"
#include "test.h"

#include "support.h"

enum {
    FILE_BYTES = 4 << 20,
    FILES_A_DIRECTORY = 200,
};

// Appends to the file until it has `most` bytes or the disk is full; returns how many bytes it
// took.
static size_t fill_file(const char *name, size_t most) {
    size_t total = 0;
    int fd = open(name, O_CREATE | O_WRONLY), n = 1;
    if (fd < 0) {
        CHECK_EQUAL(ENOSPC, errno);
        return 0;
    }
    while (total < most && n > 0) {
        n = write(fd, buffer, sizeof buffer);
        total += n > 0 ? (size_t)n : 0;
    }
    CHECK(n > 0 || errno == ENOSPC);
    CHECK_EQUAL(0, close(fd));
    return total;
}

// Fills the disk with files "big0", "big1" and so on; returns how many bytes they hold.
static size_t fill_disk(unsigned *files) {
    char name[NAME_BYTES + 1];
    size_t total = 0, size = FILE_BYTES;
    for (*files = 0; size >= FILE_BYTES; ++*files) {
        size = fill_file(name_with(name, "big", *files), FILE_BYTES);
        total += size;
    }
    return total;
}

static void remove_files(unsigned files) {
    char name[NAME_BYTES + 1];
    for (unsigned i = 0; i < files; i++)
        unlink(name_with(name, "big", i));
}

TEST_SLOW(blocks_of_removed_files_are_freed) {
    for (int i = 0; i < 12; i++) {
        CHECK_EQUAL(3 << 20, fill_file("file", 3 << 20));
        CHECK_EQUAL(0, unlink("file"));
    }
}

TEST_SLOW(disk_full) {
    unsigned files;
    file_make_pattern("before", 5 * PAGE_BYTES);
    CHECK_EQUAL(0, mkdir("directory"));
    size_t first = fill_disk(&files);
    int fd = open("before", O_RDWR);
    CHECK_EQUAL(10, write(fd, buffer, 10)); // needs no block
    CHECK_EQUAL(0, close(fd));
    CHECK_FAILS(mkdir("other"), ENOSPC);
    CHECK(!file_exists("other"));
    CHECK_EQUAL(4, helper_run((char *[]){"+exit", "4", NULL}));
    remove_files(files);
    size_t second = fill_disk(&files);
    remove_files(files);
    CHECK_EQUAL(second, first);
    CHECK_EQUAL(5 * PAGE_BYTES, file_stat("before").size);
    file_make_empty("directory/file");
    file_make_pattern("after", 100000);
    file_check_pattern("after", 100000);
}

TEST_SLOW(disk_full_while_many_write) {
    enum { CHILDREN = 4 };
    char name[NAME_BYTES + 1];
    unsigned files;
    size_t first = fill_disk(&files);
    for (unsigned i = files > 2 ? files - 2 : 0; i < files; i++)
        unlink(name_with(name, "big", i));
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            for (int i = 0; i < 2; i++) {
                fill_file(name_with(name, "child", child), 3 << 20);
                unlink(name);
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
    remove_files(files);
    size_t second = fill_disk(&files);
    CHECK_EQUAL(second, first);
    remove_files(files);
}

// A directory that cannot grow takes no more names, and is unchanged otherwise.
TEST_SLOW(disk_full_and_directory_full) {
    char name[NAME_BYTES + 1];
    unsigned files, links = 0;
    file_make_empty("file");
    CHECK_EQUAL(0, mkdir("dir"));
    fill_disk(&files);
    CHECK_EQUAL(0, chdir("dir"));
    while (link("../file", name_with(name, "link", links)) == 0)
        links++;
    CHECK_EQUAL(ENOSPC, errno);
    CHECK_FAILS(open("file", O_CREATE | O_RDWR), ENOSPC);
    CHECK_FAILS(mkdir("directory"), ENOSPC);
    CHECK_EQUAL(links + 1, file_stat("../file").nlink);
    CHECK_FAILS(open(name, O_RDONLY), ENOENT);
    CHECK_EQUAL(0, unlink("link0"));
    CHECK_EQUAL(0, link("../file", name));
    CHECK_EQUAL(0, chdir(".."));
    remove_files(files);
}

TEST_SLOW(one_file_fills_the_disk) {
    size_t all = fill_file("file", SIZE_MAX);
    CHECK(all > FILE_BYTES);
    CHECK_EQUAL(all, file_stat("file").size);
    CHECK_EQUAL(0, close(open("file", O_WRONLY | O_TRUNC)));
    CHECK_EQUAL(all, fill_file("file", SIZE_MAX));
    CHECK_EQUAL(0, unlink("file"));
    CHECK_EQUAL(all, fill_file("file", SIZE_MAX));
}

// An unlinked open file gives its blocks back when it is closed, not before.
TEST_SLOW(disk_full_of_unlinked_files) {
    unsigned files;
    size_t all = fill_disk(&files);
    remove_files(files);
    int fd = open("file", O_CREATE | O_RDWR);
    CHECK(fd >= 0);
    for (int i = 0; i < 16; i++)
        write_fully(fd, buffer, sizeof buffer);
    CHECK_EQUAL(0, unlink("file"));
    size_t less = fill_disk(&files);
    CHECK(less < all);
    CHECK_EQUAL(0, close(fd));
    remove_files(files);
    CHECK_EQUAL(all, fill_disk(&files));
    remove_files(files);
}

// Makes empty files in a directory, until there is no inode left or it has enough; returns how many
// inodes that took.
static unsigned fill_directory(unsigned directory) {
    char name[2 * NAME_BYTES + 1];
    if (mkdir(name_with(name, "dir", directory)) < 0) {
        CHECK_EQUAL(ENOSPC, errno);
        return 0;
    }
    for (unsigned i = 0; i < FILES_A_DIRECTORY; i++) {
        snprintf(name, sizeof name, "dir%u/%u", directory, i);
        int fd = open(name, O_CREATE | O_RDWR);
        if (fd < 0) {
            CHECK_EQUAL(ENOSPC, errno);
            return i + 1;
        }
        CHECK_EQUAL(0, close(fd));
    }
    return FILES_A_DIRECTORY + 1;
}

// Returns how many inodes that freed.
static unsigned remove_directory(unsigned directory) {
    char name[2 * NAME_BYTES + 1];
    unsigned count = 0;
    for (; count < FILES_A_DIRECTORY; count++) {
        snprintf(name, sizeof name, "dir%u/%u", directory, count);
        if (unlink(name) < 0)
            break;
    }
    CHECK_EQUAL(0, unlink(name_with(name, "dir", directory)));
    return count + 1;
}

TEST_SLOW(inodes_run_out) {
    unsigned directories = 0;
    file_make_pattern("file", 100);
    while (fill_directory(directories) == FILES_A_DIRECTORY + 1)
        directories++;
    CHECK_FAILS(mkdir("other"), ENOSPC);
    CHECK_FAILS(open("other", O_CREATE | O_RDWR), ENOSPC);
    CHECK_FAILS(mknod("other", 1, 1), ENOSPC);
    CHECK_EQUAL(0, link("file", "another")); // needs no inode
    CHECK_EQUAL(0, close(open("file", O_CREATE | O_RDWR)));
    file_check_pattern("another", 100);
    CHECK(directories > 0);
    CHECK_EQUAL(FILES_A_DIRECTORY + 1, remove_directory(0));
    CHECK_EQUAL(FILES_A_DIRECTORY + 1, fill_directory(0));
    CHECK_FAILS(mkdir("other"), ENOSPC);
    for (unsigned i = 0; i < directories; i++)
        CHECK_EQUAL(FILES_A_DIRECTORY + 1, remove_directory(i));
}

// Many processes hold as many different files as they can; afterwards as many can be open as
// before.
TEST_SLOW(many_different_files_are_open) {
    enum { CHILDREN = 40, FILES = OPEN_MAX - FIRST_FREE_FD - 1 };
    char name[NAME_BYTES + 1];
    int end[2], report[2], count, total = 0;
    CHECK_EQUAL(0, pipe(end));
    CHECK_EQUAL(0, pipe(report));
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            CHECK_EQUAL(0, close(end[1]));
            for (count = 0; open(name_with(name, "file", child * FILES + (unsigned)count),
                                 O_CREATE | O_RDWR) >= 0;)
                count++;
            CHECK(errno == EMFILE || errno == ENFILE);
            write_fully(report[1], &count, sizeof count);
            read(end[0], buffer, 1);
        }
    }
    for (int child = 0; child < CHILDREN; child++) {
        read_fully(report[0], &count, sizeof count);
        total += count;
    }
    CHECK(total >= 50);
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(CHILDREN);
    CHECK_EQUAL(0, file_stat("file0").size);
    CHECK_EQUAL(2, helper_run((char *[]){"+exit", "2", NULL}));
}

// Each process holds an unlinked file and an unlinked current directory; then all end at the same
// time.
TEST_SLOW(many_hold_unlinked_files) {
    enum { CHILDREN = 30 };
    char name[NAME_BYTES + 1];
    int end[2], report[2];
    CHECK_EQUAL(0, pipe(end));
    CHECK_EQUAL(0, pipe(report));
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            CHECK_EQUAL(0, close(end[1]));
            CHECK_EQUAL(0, mkdir(name_with(name, "dir", child)));
            CHECK_EQUAL(0, chdir(name));
            int fd = open("file", O_CREATE | O_RDWR);
            CHECK(fd >= 0);
            write_fully(fd, buffer, 2 * PAGE_BYTES);
            CHECK_EQUAL(0, unlink("file"));
            CHECK_EQUAL(0, chdir(".."));
            char path[2 * NAME_BYTES];
            snprintf(path, sizeof path, "%s/.", name);
            CHECK_EQUAL(0, chdir(path));
            snprintf(path, sizeof path, "../%s", name);
            CHECK_EQUAL(0, unlink(path));
            write_fully(report[1], "", 1);
            read(end[0], buffer, 1);
        }
    }
    for (int child = 0; child < CHILDREN; child++)
        read_fully(report[0], buffer, 1);
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(CHILDREN);
}

TEST_SLOW(large_files_written_by_many) {
    enum { CHILDREN = 4, SIZE = 1 << 20 };
    char name[NAME_BYTES + 1];
    for (unsigned child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            file_make_pattern(name_with(name, "file", child), SIZE);
            for (int i = 0; i < 3; i++)
                file_check_pattern(name, SIZE);
        }
    }
    CHECK_CHILDREN(CHILDREN);
}
