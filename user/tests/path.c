// Names: paths, directories, links, and what several processes do to one name at once.
#define TEST_FAMILY "path"
#include "test.h"

#include "support.h"

// How often the name stands in the directory; *inode becomes its number.
static int count_entries(const char *directory, const char *name, int *inode) {
    struct dirent entry;
    int count = 0, fd = open(directory, O_RDONLY);
    CHECK(fd >= 0);
    while (read(fd, &entry, sizeof entry) == (int)sizeof entry) {
        if (entry.inum == 0 || strncmp(entry.name, name, NAME_BYTES) != 0)
            continue;
        count++;
        *inode = entry.inum;
    }
    CHECK_EQUAL(close(fd), 0);
    return count;
}

TEST(directories_are_files_of_entries) {
    int inode = 0, parent = 0;
    CHECK_EQUAL(mkdir("directory"), 0);
    file_make_empty("directory/file");
    CHECK_EQUAL(count_entries("directory", "file", &inode), 1);
    CHECK_EQUAL(file_stat("directory/file").ino, inode);
    CHECK_EQUAL(count_entries("directory", ".", &inode), 1);
    CHECK_EQUAL(file_stat("directory").ino, inode);
    CHECK_EQUAL(count_entries("directory", "..", &parent), 1);
    CHECK_EQUAL(file_stat(".").ino, parent);
    CHECK_EQUAL(unlink("directory/file"), 0);
    CHECK_EQUAL(count_entries("directory", "file", &inode), 0);
}

TEST(directories_can_be_read_byte_by_byte) {
    struct dirent entry, bytes;
    int whole = open(".", O_RDONLY), parts = open(".", O_RDONLY);
    file_make_empty("file");
    while (read(whole, &entry, sizeof entry) == (int)sizeof entry) {
        for (size_t i = 0; i < sizeof bytes; i++)
            CHECK_EQUAL(read(parts, (char *)&bytes + i, 1), 1);
        CHECK(memcmp(&entry, &bytes, sizeof entry) == 0);
    }
    CHECK_EQUAL(read(parts, &bytes, 1), 0);
}

TEST(directories_open_only_for_reading) {
    static const int flags[] = {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDWR | O_TRUNC};
    CHECK_EQUAL(mkdir("directory"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        CHECK_FAILS(open("directory", flags[i]), EISDIR);
    CHECK_FAILS_EITHER(open("directory", O_CREATE | O_RDWR), EISDIR, EEXIST);
    CHECK_FAILS_EITHER(open("directory", O_CREATE), EISDIR, EEXIST);
    int fd = open("directory", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_FAILS_EITHER(write(fd, "x", 1), EBADF, EISDIR);
}

TEST(paths_of_all_forms) {
    static const char *const same[] = {"d/file",
                                       "./d/file",
                                       "d//file",
                                       "d/./file",
                                       "d/e/../file",
                                       "d/e/../../d/file",
                                       ".//d///./file",
                                       "../test.scratch/d/file",
                                       "/test.scratch/d/file",
                                       "//test.scratch//d/file",
                                       "/../../test.scratch/d/file"};
    CHECK_EQUAL(mkdir("d"), 0);
    CHECK_EQUAL(mkdir("d/e"), 0);
    file_make("d/file", "contents", 8);
    uint32_t inode = file_stat("d/file").ino;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        if (file_stat(same[i]).ino != inode)
            FAIL("expected %s to be d/file, saw another file", same[i]);
    }
    CHECK_EQUAL(file_stat("d/").ino, file_stat("d").ino);
    CHECK_EQUAL(file_stat("d/e/..").ino, file_stat("d").ino);
    CHECK_EQUAL(file_stat("d/.").ino, file_stat("d").ino);
}

TEST(root_is_its_own_parent) {
    uint32_t root = file_stat("/").ino;
    static const char *const same[] = {"//", "/.", "/..", "/../..", "/../../..//.", "///"};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        CHECK_EQUAL(file_stat(same[i]).ino, root);
    CHECK_EQUAL(chdir("/"), 0);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(file_stat(".").ino, root);
}

TEST(empty_path_names_nothing) {
    CHECK_FAILS(open("", O_RDONLY), ENOENT);
    CHECK_FAILS(open("", O_CREATE | O_RDWR), ENOENT);
    CHECK_FAILS(chdir(""), ENOENT);
    CHECK_FAILS(mkdir(""), ENOENT);
    CHECK_FAILS(mknod("", 1, 1), ENOENT);
    CHECK_FAILS(unlink(""), ENOENT);
    file_make_empty("file");
    CHECK_FAILS(link("file", ""), ENOENT);
    CHECK_FAILS(link("", "other"), ENOENT);
}

TEST(missing_names) {
    file_make_empty("file");
    CHECK_FAILS(open("missing", O_RDONLY), ENOENT);
    CHECK_FAILS(open("missing/file", O_RDONLY), ENOENT);
    CHECK_FAILS(open("missing/file", O_CREATE | O_RDWR), ENOENT);
    CHECK_FAILS(chdir("missing"), ENOENT);
    CHECK_FAILS(mkdir("missing/directory"), ENOENT);
    CHECK_FAILS(unlink("missing"), ENOENT);
    CHECK_FAILS(link("missing", "other"), ENOENT);
    CHECK_FAILS(link("file", "missing/other"), ENOENT);
    CHECK(!file_exists("other"));
}

TEST(files_are_no_directories) {
    file_make_empty("file");
    CHECK_FAILS(open("file/name", O_RDONLY), ENOTDIR);
    CHECK_FAILS(open("file/name", O_CREATE | O_RDWR), ENOTDIR);
    CHECK_FAILS(open("file/.", O_RDONLY), ENOTDIR);
    CHECK_FAILS(chdir("file"), ENOTDIR);
    CHECK_FAILS(mkdir("file/name"), ENOTDIR);
    CHECK_FAILS(unlink("file/name"), ENOTDIR);
    CHECK_FAILS(link("file", "file/name"), ENOTDIR);
    CHECK_FAILS(link("file/name", "other"), ENOTDIR);
}

TEST(existing_names) {
    file_make_empty("file");
    file_make_empty("other");
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_FAILS(mkdir("file"), EEXIST);
    CHECK_FAILS(mkdir("directory"), EEXIST);
    CHECK_FAILS(mkdir("."), EEXIST);
    CHECK_FAILS(mkdir("directory/.."), EEXIST);
    CHECK_FAILS(mkdir("/"), EEXIST);
    CHECK_FAILS(mknod("file", 1, 1), EEXIST);
    CHECK_FAILS(link("file", "other"), EEXIST);
    CHECK_FAILS(link("file", "file"), EEXIST);
    CHECK_FAILS(link("file", "directory"), EEXIST);
    CHECK_FAILS(link("file", "."), EEXIST);
}

TEST(names_are_cut_at_fourteen_bytes) {
    CHECK_EQUAL(mkdir("12345678901234"), 0);
    CHECK_EQUAL(mkdir("12345678901234/12345678901234x"), 0);
    file_make("12345678901234/12345678901234/abcdefghijklmnopq", "x", 1);
    CHECK_EQUAL(file_stat("12345678901234y/12345678901234/abcdefghijklmn").size, 1);
    CHECK_EQUAL(file_stat("123456789012345/12345678901234z/abcdefghijklmnzzz").size, 1);
    CHECK_FAILS(mkdir("12345678901234567"), EEXIST);
    CHECK_FAILS(open("1234567890123", O_RDONLY), ENOENT);
    file_make_empty("1234567890123");
    CHECK_EQUAL(unlink("1234567890123"), 0);
    CHECK_FAILS(unlink("12345678901234"), ENOTEMPTY);
}

TEST(path_lengths) {
    char path[2 * PATH_BYTES];
    file_make_empty("file");
    for (size_t length = PATH_BYTES - 3; length < PATH_BYTES + 3; length++) {
        memset(path, '/', sizeof path);
        path[0] = '.';
        string_copy(path + length - 4, "file", 5);
        if (length < PATH_BYTES)
            CHECK_EQUAL(file_stat(path).type, T_FILE);
        else
            CHECK_FAILS(open(path, O_RDONLY), ENAMETOOLONG);
    }
    CHECK_FAILS(mkdir(path), ENAMETOOLONG);
    CHECK_FAILS(mknod(path, 1, 1), ENAMETOOLONG);
    CHECK_FAILS(chdir(path), ENAMETOOLONG);
    CHECK_FAILS(unlink(path), ENAMETOOLONG);
    CHECK_FAILS(link(path, "x"), ENAMETOOLONG);
    CHECK_FAILS(link("file", path), ENAMETOOLONG);
}

TEST(names_of_any_bytes) {
    static const char *const names[] = {" ",  "\x01", "\xff\xfe", "a b", "*",
                                        "-l", "...",  ".x",       "..x", "\n"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        file_make(names[i], names[i], 1);
        CHECK_EQUAL(file_stat(names[i]).size, 1);
        CHECK_EQUAL(unlink(names[i]), 0);
        CHECK(!file_exists(names[i]));
    }
}

TEST(links_are_equal_names) {
    file_make_pattern("one", 100);
    CHECK_EQUAL(link("one", "two"), 0);
    CHECK_EQUAL(file_stat("one").nlink, 2);
    CHECK_EQUAL(file_stat("one").ino, file_stat("two").ino);
    CHECK_EQUAL(unlink("one"), 0);
    CHECK(!file_exists("one"));
    CHECK_EQUAL(file_stat("two").nlink, 1);
    file_check_pattern("two", 100);
    CHECK_EQUAL(link("two", "one"), 0); // renamed back
    CHECK_EQUAL(unlink("two"), 0);
    file_check_pattern("one", 100);
}

TEST(links_between_directories) {
    CHECK_EQUAL(mkdir("one"), 0);
    CHECK_EQUAL(mkdir("two"), 0);
    file_make_pattern("one/file", 10);
    CHECK_EQUAL(link("one/file", "two/file"), 0);
    CHECK_EQUAL(link("two/file", "file"), 0);
    CHECK_EQUAL(unlink("one/file"), 0);
    CHECK_EQUAL(unlink("one"), 0);
    CHECK_EQUAL(file_stat("file").nlink, 2);
    file_check_pattern("two/file", 10);
}

TEST(directories_cannot_be_linked) {
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_FAILS(link("directory", "other"), EPERM);
    CHECK_FAILS(link(".", "other"), EPERM);
    CHECK_FAILS(link("/", "other"), EPERM);
    CHECK_FAILS(link("directory", "directory/other"), EPERM);
    CHECK(!file_exists("other"));
    CHECK_EQUAL(file_stat("directory").nlink, 1);
}

TEST(directories_count_their_children) {
    int before = file_stat(".").nlink;
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_EQUAL(file_stat(".").nlink, before + 1);
    CHECK_EQUAL(mkdir("directory/one"), 0);
    CHECK_EQUAL(mkdir("directory/two"), 0);
    CHECK_EQUAL(file_stat("directory").nlink, 3);
    CHECK_EQUAL(unlink("directory/one"), 0);
    CHECK_EQUAL(file_stat("directory").nlink, 2);
    CHECK_FAILS(unlink("directory"), ENOTEMPTY);
    CHECK_EQUAL(unlink("directory/two"), 0);
    CHECK_EQUAL(unlink("directory"), 0);
    CHECK_EQUAL(file_stat(".").nlink, before);
}

TEST(dots_cannot_be_removed) {
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_FAILS(unlink("."), EPERM);
    CHECK_FAILS(unlink(".."), EPERM);
    CHECK_FAILS(unlink("directory/."), EPERM);
    CHECK_FAILS(unlink("directory/.."), EPERM);
    CHECK_EQUAL(unlink("/"), -1);
    CHECK_EQUAL(chdir("directory"), 0);
    CHECK_FAILS(unlink("."), EPERM);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(unlink("directory"), 0);
    CHECK_FAILS(chdir("directory"), ENOENT);
}

TEST(full_directories_stay) {
    CHECK_EQUAL(mkdir("directory"), 0);
    file_make_empty("directory/file");
    CHECK_FAILS(unlink("directory"), ENOTEMPTY);
    CHECK_EQUAL(unlink("directory/file"), 0);
    CHECK_EQUAL(unlink("directory"), 0);
    CHECK(!file_exists("directory"));
}

TEST(chdir_moves) {
    CHECK_EQUAL(mkdir("one"), 0);
    CHECK_EQUAL(mkdir("one/two"), 0);
    uint32_t one = file_stat("one").ino, two = file_stat("one/two").ino;
    CHECK_EQUAL(chdir("one/two"), 0);
    CHECK_EQUAL(file_stat(".").ino, two);
    CHECK_EQUAL(file_stat("..").ino, one);
    IN_CHILD {
        CHECK_EQUAL(file_stat(".").ino, two);
        CHECK_EQUAL(chdir("/"), 0);
    }
    CHECK_CHILD(0);
    file_make_empty("file");
    CHECK_EQUAL(chdir("../.."), 0);
    CHECK(file_exists("one/two/file"));
}

TEST(long_chain_of_directories) {
    enum { DEPTH = 60 };
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQUAL(mkdir("directory"), 0);
        CHECK_EQUAL(chdir("directory"), 0);
        file_make_empty("file");
    }
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQUAL(unlink("file"), 0);
        CHECK_EQUAL(chdir(".."), 0);
        CHECK_EQUAL(unlink("directory"), 0);
    }
}

TEST(removed_current_directory) {
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_EQUAL(chdir("directory"), 0);
    CHECK_EQUAL(unlink("../directory"), 0);
    CHECK_FAILS(open("file", O_CREATE | O_RDWR), ENOENT);
    CHECK_FAILS(mkdir("inner"), ENOENT);
    CHECK_FAILS(mknod("device", 1, 1), ENOENT);
    CHECK_FAILS(link("/README", "README"), ENOENT);
    CHECK_FAILS(open("file", O_RDONLY), ENOENT);
    CHECK_FAILS(unlink("file"), ENOENT);
    chdir(".");
    chdir("..");
    CHECK_EQUAL(chdir("/"), 0);
}

TEST(removed_chain_of_current_directories) {
    for (int i = 0; i < 40; i++) {
        CHECK_EQUAL(mkdir("directory"), 0);
        CHECK_EQUAL(chdir("directory"), 0);
        mkdir("");
        link("README", "");
        close(open("", O_CREATE));
        close(open("x", O_CREATE));
        unlink("x");
    }
    for (int i = 0; i < 40; i++) {
        CHECK_EQUAL(chdir(".."), 0);
        CHECK_EQUAL(unlink("directory"), 0);
    }
}

TEST(removed_directory_held_by_others) {
    int go[2], removed[2];
    char byte;
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_EQUAL(pipe(go), 0);
    CHECK_EQUAL(pipe(removed), 0);
    for (int i = 0; i < 3; i++) {
        IN_CHILD {
            CHECK_EQUAL(chdir("directory"), 0);
            int fd = open(".", O_RDONLY);
            write_fully(go[1], "", 1);
            read_fully(removed[0], &byte, 1);
            CHECK_FAILS(open("file", O_CREATE | O_RDWR), ENOENT);
            chdir("..");
            CHECK_EQUAL(close(fd), 0);
        }
    }
    for (int i = 0; i < 3; i++)
        read_fully(go[0], &byte, 1);
    CHECK_EQUAL(unlink("directory"), 0);
    CHECK_EQUAL(mkdir("directory"), 0);
    write_fully(removed[1], "...", 3);
    CHECK_CHILDREN(3);
    file_make_empty("directory/file");
}

TEST(removed_directory_and_exit) {
    for (int round = 0; round < 20; round++) {
        IN_CHILD {
            CHECK_EQUAL(mkdir("directory"), 0);
            CHECK_EQUAL(chdir("directory"), 0);
            CHECK_EQUAL(unlink("../directory"), 0);
        }
        CHECK_CHILD(0);
    }
}

// Fills a directory, takes out every second entry, fills it again, and empties it.
static void check_large_directory(unsigned files) {
    char name[NAME_BYTES + 1];
    int inode;
    file_make_empty("file");
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_EQUAL(chdir("directory"), 0);
    for (unsigned i = 0; i < files; i++)
        CHECK_EQUAL(link("../file", name_with(name, "name", i)), 0);
    CHECK_EQUAL(file_stat("../file").nlink, files + 1);
    uint64_t size = file_stat(".").size;
    for (unsigned i = 0; i < files; i += 2)
        CHECK_EQUAL(unlink(name_with(name, "name", i)), 0);
    for (unsigned i = 0; i < files; i += files / 5) {
        CHECK_EQUAL(count_entries(".", name_with(name, "name", i), &inode), 0);
        CHECK_EQUAL(count_entries(".", name_with(name, "name", i + 1), &inode), 1);
    }
    for (unsigned i = 0; i < files; i += 2)
        CHECK_EQUAL(link("../file", name_with(name, "again", i)), 0);
    CHECK_EQUAL(file_stat(".").size, size); // entries are used again
    for (unsigned i = 0; i < files; i++)
        CHECK_EQUAL(unlink(name_with(name, i % 2 == 0 ? "again" : "name", i)), 0);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(unlink("directory"), 0);
    CHECK_EQUAL(file_stat("file").nlink, 1);
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
        CHECK_STRING(seen, name);
        CHECK_EQUAL(close(fd), 0);
    }
    for (unsigned i = 0; i < FILES; i++)
        CHECK_EQUAL(unlink(name_with(name, "file", i)), 0);
}

TEST(numbers_of_removed_files_are_used_again) {
    uint32_t most = 0;
    for (int i = 0; i < 100; i++) {
        file_make_pattern("file", 100);
        uint32_t inode = file_stat("file").ino;
        most = i < 10 && inode > most ? inode : most;
        CHECK(inode <= most + 10);
        CHECK_EQUAL(unlink("file"), 0);
    }
}

TEST(tree_of_everything) {
    CHECK_EQUAL(mkdir("dd"), 0);
    CHECK_EQUAL(mkdir("dd/dd"), 0);
    file_make("dd/file", "file", 4);
    file_make("dd/dd/file", "FILE", 4);
    CHECK_EQUAL(link("dd/dd/file", "dd/dd/link"), 0);
    CHECK_EQUAL(unlink("dd/dd/file"), 0);
    CHECK(!file_exists("dd/dd/file"));
    CHECK_EQUAL(chdir("dd/../dd/../dd/dd"), 0);
    CHECK_EQUAL(file_stat("link").size, 4);
    CHECK_EQUAL(file_stat("../file").size, 4);
    CHECK_EQUAL(chdir("./../.."), 0);
    CHECK_FAILS(unlink("dd"), ENOTEMPTY);
    CHECK_FAILS(unlink("dd/dd"), ENOTEMPTY);
    CHECK_EQUAL(unlink("dd/dd/link"), 0);
    CHECK_EQUAL(unlink("dd/dd"), 0);
    CHECK_EQUAL(unlink("dd/file"), 0);
    CHECK_EQUAL(unlink("dd"), 0);
}

TEST(many_create_the_same_names) {
    enum { CHILDREN = 4, NAMES = 30 };
    char name[NAME_BYTES + 1];
    int inode;
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            for (unsigned i = 0; i < NAMES; i++) {
                int fd = open(name_with(name, "name", i), O_CREATE | O_RDWR);
                CHECK(fd >= 0);
                CHECK_EQUAL(close(fd), 0);
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (unsigned i = 0; i < NAMES; i++) {
        CHECK_EQUAL(count_entries(".", name_with(name, "name", i), &inode), 1);
        CHECK_EQUAL(file_stat(name).nlink, 1);
    }
}

TEST(many_make_and_remove_the_same_name) {
    enum { CHILDREN = 5 };
    file_make_empty("file");
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            uint32_t seed = 100 + (uint32_t)child;
            for (int i = 0; i < 30; i++) {
                switch (random_next(&seed) % 5) {
                case 0:
                    close(open("name", O_CREATE | O_RDWR));
                    break;
                case 1:
                    mkdir("name");
                    break;
                case 2:
                    link("file", "name");
                    break;
                case 3:
                    mknod("name", 1, 0);
                    break;
                }
                unlink("name");
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
    unlink("name");
    CHECK(!file_exists("name"));
    CHECK_EQUAL(file_stat("file").nlink, 1);
}

TEST(one_wins_mkdir_and_link) {
    enum { CHILDREN = 4, ROUNDS = 15 };
    char name[NAME_BYTES + 1];
    int report[2];
    file_make_empty("file");
    CHECK_EQUAL(pipe(report), 0);
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            for (unsigned i = 0; i < ROUNDS; i++) {
                char won = mkdir(name_with(name, "directory", i)) == 0;
                won += (link("file", name_with(name, "link", i)) == 0) * 2;
                write_fully(report[1], &won, 1);
            }
        }
    }
    int directories = 0, links = 0;
    for (int i = 0; i < CHILDREN * ROUNDS; i++) {
        char won;
        read_fully(report[0], &won, 1);
        directories += won & 1;
        links += won >> 1;
    }
    CHECK_CHILDREN(CHILDREN);
    CHECK_EQUAL(directories, ROUNDS);
    CHECK_EQUAL(links, ROUNDS);
    CHECK_EQUAL(file_stat("file").nlink, ROUNDS + 1);
}

TEST(one_wins_unlink) {
    enum { CHILDREN = 4, ROUNDS = 15 };
    char name[NAME_BYTES + 1];
    int report[2];
    CHECK_EQUAL(pipe(report), 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        file_make_empty(name_with(name, "file", i));
    for (int child = 0; child < CHILDREN; child++) {
        IN_CHILD {
            char won = 0;
            for (unsigned i = 0; i < ROUNDS; i++)
                won += unlink(name_with(name, "file", i)) == 0;
            write_fully(report[1], &won, 1);
        }
    }
    int total = 0;
    for (int i = 0; i < CHILDREN; i++) {
        char won;
        read_fully(report[0], &won, 1);
        total += won;
    }
    CHECK_CHILDREN(CHILDREN);
    CHECK_EQUAL(total, ROUNDS);
}

TEST(directories_crosswise) {
    CHECK_EQUAL(mkdir("one"), 0);
    CHECK_EQUAL(mkdir("two"), 0);
    for (int child = 0; child < 4; child++) {
        IN_CHILD {
            for (int i = 0; i < 40; i++) {
                const char *from = child % 2 == 0 ? "one/../two" : "two/../one";
                char path[64];
                snprintf(path, sizeof path, "%s/%d", from, child);
                close(open(path, O_CREATE | O_RDWR));
                link(path, child % 2 == 0 ? "one/../two/../one/x" : "two/../one/../two/x");
                unlink(child % 2 == 0 ? "two/../one/x" : "one/../two/x");
                CHECK_EQUAL(unlink(path), 0);
                chdir(child % 2 == 0 ? "one/../two" : "two/../one");
                CHECK_EQUAL(chdir(".."), 0);
            }
        }
    }
    CHECK_CHILDREN(4);
    unlink("one/x");
    unlink("two/x");
    CHECK_EQUAL(unlink("one"), 0);
    CHECK_EQUAL(unlink("two"), 0);
}

TEST(parent_is_removed_while_child_is_made) {
    for (int round = 0; round < 25; round++) {
        IN_CHILD {
            mkdir("outer");
            mkdir("outer/inner");
            close(open("outer/inner/file", O_CREATE | O_RDWR));
        }
        IN_CHILD {
            unlink("outer/inner/file");
            unlink("outer/inner");
            unlink("outer");
        }
        CHECK_CHILDREN(2);
        unlink("outer/inner/file");
        unlink("outer/inner");
        unlink("outer");
        CHECK(!file_exists("outer"));
    }
}
