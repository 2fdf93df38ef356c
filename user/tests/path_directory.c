// Directories: their entries, when they can be removed, and what becomes of a removed one that a
// process is in.
#define TEST_FAMILY "path"
#include "test.h"

#include "support.h"

TEST(directories_are_files_of_entries) {
    int inode = 0, parent = 0;
    CHECK_EQUAL(0, mkdir("directory"));
    file_make_empty("directory/file");
    CHECK_EQUAL(1, directory_count("directory", "file", &inode));
    CHECK_EQUAL(inode, file_stat("directory/file").ino);
    CHECK_EQUAL(1, directory_count("directory", ".", &inode));
    CHECK_EQUAL(inode, file_stat("directory").ino);
    CHECK_EQUAL(1, directory_count("directory", "..", &parent));
    CHECK_EQUAL(parent, file_stat(".").ino);
    CHECK_EQUAL(0, unlink("directory/file"));
    CHECK_EQUAL(0, directory_count("directory", "file", &inode));
}

TEST(directories_can_be_read_byte_by_byte) {
    struct dirent entry, bytes;
    int whole = open(".", O_RDONLY), parts = open(".", O_RDONLY);
    file_make_empty("file");
    while (read(whole, &entry, sizeof entry) == (int)sizeof entry) {
        for (size_t i = 0; i < sizeof bytes; i++)
            CHECK_EQUAL(1, read(parts, (char *)&bytes + i, 1));
        CHECK(memcmp(&entry, &bytes, sizeof entry) == 0);
    }
    CHECK_EQUAL(0, read(parts, &bytes, 1));
}

TEST(directories_open_only_for_reading) {
    static const int flags[] = {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDWR | O_TRUNC};
    CHECK_EQUAL(0, mkdir("directory"));
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        CHECK_FAILS(open("directory", flags[i]), EISDIR);
    CHECK_FAILS_EITHER(open("directory", O_CREATE | O_RDWR), EISDIR, EEXIST);
    CHECK_FAILS_EITHER(open("directory", O_CREATE), EISDIR, EEXIST);
    int fd = open("directory", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_FAILS_EITHER(write(fd, "x", 1), EBADF, EISDIR);
}

TEST(directories_cannot_be_linked) {
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_FAILS(link("directory", "other"), EPERM);
    CHECK_FAILS(link(".", "other"), EPERM);
    CHECK_FAILS(link("/", "other"), EPERM);
    CHECK_FAILS(link("directory", "directory/other"), EPERM);
    CHECK(!file_exists("other"));
    CHECK_EQUAL(1, file_stat("directory").nlink);
}

TEST(directories_count_their_children) {
    int before = file_stat(".").nlink;
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(before + 1, file_stat(".").nlink);
    CHECK_EQUAL(0, mkdir("directory/one"));
    CHECK_EQUAL(0, mkdir("directory/two"));
    CHECK_EQUAL(3, file_stat("directory").nlink);
    CHECK_EQUAL(0, unlink("directory/one"));
    CHECK_EQUAL(2, file_stat("directory").nlink);
    CHECK_FAILS(unlink("directory"), ENOTEMPTY);
    CHECK_EQUAL(0, unlink("directory/two"));
    CHECK_EQUAL(0, unlink("directory"));
    CHECK_EQUAL(before, file_stat(".").nlink);
}

TEST(dots_cannot_be_removed) {
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_FAILS(unlink("."), EPERM);
    CHECK_FAILS(unlink(".."), EPERM);
    CHECK_FAILS(unlink("directory/."), EPERM);
    CHECK_FAILS(unlink("directory/.."), EPERM);
    CHECK_EQUAL(-1, unlink("/"));
    CHECK_EQUAL(0, chdir("directory"));
    CHECK_FAILS(unlink("."), EPERM);
    CHECK_EQUAL(0, chdir(".."));
    CHECK_EQUAL(0, unlink("directory"));
    CHECK_FAILS(chdir("directory"), ENOENT);
}

TEST(full_directories_cannot_be_removed) {
    CHECK_EQUAL(0, mkdir("directory"));
    file_make_empty("directory/file");
    CHECK_FAILS(unlink("directory"), ENOTEMPTY);
    CHECK_EQUAL(0, unlink("directory/file"));
    CHECK_EQUAL(0, unlink("directory"));
    CHECK(!file_exists("directory"));
}

TEST(long_chain_of_directories) {
    enum { DEPTH = 60 };
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQUAL(0, mkdir("directory"));
        CHECK_EQUAL(0, chdir("directory"));
        file_make_empty("file");
    }
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQUAL(0, unlink("file"));
        CHECK_EQUAL(0, chdir(".."));
        CHECK_EQUAL(0, unlink("directory"));
    }
}

TEST(removed_current_directory) {
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, chdir("directory"));
    CHECK_EQUAL(0, unlink("../directory"));
    CHECK_FAILS(open("file", O_CREATE | O_RDWR), ENOENT);
    CHECK_FAILS(mkdir("inner"), ENOENT);
    CHECK_FAILS(mknod("device", 1, 1), ENOENT);
    CHECK_FAILS(link("/README", "README"), ENOENT);
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
    CHECK_FAILS(unlink("file"), ENOENT);
    chdir(".");
    chdir("..");
    CHECK_EQUAL(0, chdir("/"));
}

TEST(removed_chain_of_current_directories) {
    for (int i = 0; i < 40; i++) {
        CHECK_EQUAL(0, mkdir("directory"));
        CHECK_EQUAL(0, chdir("directory"));
        mkdir("");
        link("README", "");
        close(open("", O_CREATE));
        close(open("x", O_CREATE));
        unlink("x");
    }
    for (int i = 0; i < 40; i++) {
        CHECK_EQUAL(0, chdir(".."));
        CHECK_EQUAL(0, unlink("directory"));
    }
}

TEST(removed_directory_held_by_others) {
    int go[2], removed[2];
    char byte;
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(removed));
    for (int i = 0; i < 3; i++) {
        IN_CHILD {
            CHECK_EQUAL(0, chdir("directory"));
            int fd = open(".", O_RDONLY);
            write_fully(go[1], "", 1);
            read_fully(removed[0], &byte, 1);
            CHECK_FAILS(open("file", O_CREATE | O_RDWR), ENOENT);
            chdir("..");
            CHECK_EQUAL(0, close(fd));
        }
    }
    for (int i = 0; i < 3; i++)
        read_fully(go[0], &byte, 1);
    CHECK_EQUAL(0, unlink("directory"));
    CHECK_EQUAL(0, mkdir("directory"));
    write_fully(removed[1], "...", 3);
    CHECK_CHILDREN(3);
    file_make_empty("directory/file");
}

TEST(exit_in_a_removed_directory_frees_it) {
    for (int round = 0; round < 20; round++) {
        IN_CHILD {
            CHECK_EQUAL(0, mkdir("directory"));
            CHECK_EQUAL(0, chdir("directory"));
            CHECK_EQUAL(0, unlink("../directory"));
        }
        CHECK_CHILD(0);
    }
}

// Fills a directory, removes every second entry, fills it again, and empties it.
static void check_large_directory(unsigned files) {
    char name[NAME_BYTES + 1];
    int inode;
    file_make_empty("file");
    CHECK_EQUAL(0, mkdir("directory"));
    CHECK_EQUAL(0, chdir("directory"));
    for (unsigned i = 0; i < files; i++)
        CHECK_EQUAL(0, link("../file", name_with(name, "name", i)));
    CHECK_EQUAL(files + 1, file_stat("../file").nlink);
    uint64_t size = file_stat(".").size;
    for (unsigned i = 0; i < files; i += 2)
        CHECK_EQUAL(0, unlink(name_with(name, "name", i)));
    for (unsigned i = 0; i < files; i += files / 5) {
        CHECK_EQUAL(0, directory_count(".", name_with(name, "name", i), &inode));
        CHECK_EQUAL(1, directory_count(".", name_with(name, "name", i + 1), &inode));
    }
    for (unsigned i = 0; i < files; i += 2)
        CHECK_EQUAL(0, link("../file", name_with(name, "again", i)));
    CHECK_EQUAL(size, file_stat(".").size); // free entries are reused
    for (unsigned i = 0; i < files; i++)
        CHECK_EQUAL(0, unlink(name_with(name, i % 2 == 0 ? "again" : "name", i)));
    CHECK_EQUAL(0, chdir(".."));
    CHECK_EQUAL(0, unlink("directory"));
    CHECK_EQUAL(1, file_stat("file").nlink);
}

TEST(large_directory) {
    check_large_directory(150);
}

TEST_SLOW(very_large_directory) {
    check_large_directory(1000);
}

TEST(many_files) {
    enum { FILES = 80 };
    char name[NAME_BYTES + 1];
    for (unsigned i = 0; i < FILES; i++)
        file_make(name_with(name, "file", i), name, NAME_BYTES);
    for (unsigned i = 0; i < FILES; i++) {
        char seen[NAME_BYTES + 1] = {0};
        int fd = open(name_with(name, "file", i), O_RDONLY);
        read_fully(fd, seen, NAME_BYTES);
        CHECK_STRING(name, seen);
        CHECK_EQUAL(0, close(fd));
    }
    for (unsigned i = 0; i < FILES; i++)
        CHECK_EQUAL(0, unlink(name_with(name, "file", i)));
}

TEST(inode_numbers_are_reused) {
    uint32_t most = 0;
    for (int i = 0; i < 100; i++) {
        file_make_pattern("file", 100);
        uint32_t inode = file_stat("file").ino;
        most = i < 10 && inode > most ? inode : most;
        CHECK(inode <= most + 10);
        CHECK_EQUAL(0, unlink("file"));
    }
}
