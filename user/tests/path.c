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
    CHECK_EQUAL(0, close(fd));
    return count;
}

TEST(directories_are_files_of_entries) {
    int inode = 0, parent = 0;
    CHECK_EQUAL(0, mkdir("directory"));
    file_make_empty("directory/file");
    CHECK_EQUAL(1, count_entries("directory", "file", &inode));
    CHECK_EQUAL(inode, file_stat("directory/file").ino);
    CHECK_EQUAL(1, count_entries("directory", ".", &inode));
    CHECK_EQUAL(inode, file_stat("directory").ino);
    CHECK_EQUAL(1, count_entries("directory", "..", &parent));
    CHECK_EQUAL(parent, file_stat(".").ino);
    CHECK_EQUAL(0, unlink("directory/file"));
    CHECK_EQUAL(0, count_entries("directory", "file", &inode));
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
    CHECK_EQUAL(0, mkdir("d"));
    CHECK_EQUAL(0, mkdir("d/e"));
    file_make("d/file", "contents", 8);
    uint32_t inode = file_stat("d/file").ino;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        if (file_stat(same[i]).ino != inode)
            FAIL("expected %s to be d/file, saw another file", same[i]);
    }
    CHECK_EQUAL(file_stat("d").ino, file_stat("d/").ino);
    CHECK_EQUAL(file_stat("d").ino, file_stat("d/e/..").ino);
    CHECK_EQUAL(file_stat("d").ino, file_stat("d/.").ino);
}

TEST(root_is_its_own_parent) {
    uint32_t root = file_stat("/").ino;
    static const char *const same[] = {"//", "/.", "/..", "/../..", "/../../..//.", "///"};
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        CHECK_EQUAL(root, file_stat(same[i]).ino);
    CHECK_EQUAL(0, chdir("/"));
    CHECK_EQUAL(0, chdir(".."));
    CHECK_EQUAL(root, file_stat(".").ino);
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
    CHECK_EQUAL(0, mkdir("directory"));
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
    CHECK_EQUAL(0, mkdir("12345678901234"));
    CHECK_EQUAL(0, mkdir("12345678901234/12345678901234x"));
    file_make("12345678901234/12345678901234/abcdefghijklmnopq", "x", 1);
    CHECK_EQUAL(1, file_stat("12345678901234y/12345678901234/abcdefghijklmn").size);
    CHECK_EQUAL(1, file_stat("123456789012345/12345678901234z/abcdefghijklmnzzz").size);
    CHECK_FAILS(mkdir("12345678901234567"), EEXIST);
    CHECK_FAILS(open("1234567890123", O_RDONLY), ENOENT);
    file_make_empty("1234567890123");
    CHECK_EQUAL(0, unlink("1234567890123"));
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
            CHECK_EQUAL(T_FILE, file_stat(path).type);
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
        CHECK_EQUAL(1, file_stat(names[i]).size);
        CHECK_EQUAL(0, unlink(names[i]));
        CHECK(!file_exists(names[i]));
    }
}

TEST(links_are_equal_names) {
    file_make_pattern("one", 100);
    CHECK_EQUAL(0, link("one", "two"));
    CHECK_EQUAL(2, file_stat("one").nlink);
    CHECK_EQUAL(file_stat("two").ino, file_stat("one").ino);
    CHECK_EQUAL(0, unlink("one"));
    CHECK(!file_exists("one"));
    CHECK_EQUAL(1, file_stat("two").nlink);
    file_check_pattern("two", 100);
    CHECK_EQUAL(0, link("two", "one")); // renamed back
    CHECK_EQUAL(0, unlink("two"));
    file_check_pattern("one", 100);
}

TEST(links_between_directories) {
    CHECK_EQUAL(0, mkdir("one"));
    CHECK_EQUAL(0, mkdir("two"));
    file_make_pattern("one/file", 10);
    CHECK_EQUAL(0, link("one/file", "two/file"));
    CHECK_EQUAL(0, link("two/file", "file"));
    CHECK_EQUAL(0, unlink("one/file"));
    CHECK_EQUAL(0, unlink("one"));
    CHECK_EQUAL(2, file_stat("file").nlink);
    file_check_pattern("two/file", 10);
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

TEST(full_directories_stay) {
    CHECK_EQUAL(0, mkdir("directory"));
    file_make_empty("directory/file");
    CHECK_FAILS(unlink("directory"), ENOTEMPTY);
    CHECK_EQUAL(0, unlink("directory/file"));
    CHECK_EQUAL(0, unlink("directory"));
    CHECK(!file_exists("directory"));
}

TEST(chdir_moves) {
    CHECK_EQUAL(0, mkdir("one"));
    CHECK_EQUAL(0, mkdir("one/two"));
    uint32_t one = file_stat("one").ino, two = file_stat("one/two").ino;
    CHECK_EQUAL(0, chdir("one/two"));
    CHECK_EQUAL(two, file_stat(".").ino);
    CHECK_EQUAL(one, file_stat("..").ino);
    IN_CHILD {
        CHECK_EQUAL(two, file_stat(".").ino);
        CHECK_EQUAL(0, chdir("/"));
    }
    CHECK_CHILD(0);
    file_make_empty("file");
    CHECK_EQUAL(0, chdir("../.."));
    CHECK(file_exists("one/two/file"));
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

TEST(removed_directory_and_exit) {
    for (int round = 0; round < 20; round++) {
        IN_CHILD {
            CHECK_EQUAL(0, mkdir("directory"));
            CHECK_EQUAL(0, chdir("directory"));
            CHECK_EQUAL(0, unlink("../directory"));
        }
        CHECK_CHILD(0);
    }
}

// Fills a directory, takes out every second entry, fills it again, and empties it.
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
        CHECK_EQUAL(0, count_entries(".", name_with(name, "name", i), &inode));
        CHECK_EQUAL(1, count_entries(".", name_with(name, "name", i + 1), &inode));
    }
    for (unsigned i = 0; i < files; i += 2)
        CHECK_EQUAL(0, link("../file", name_with(name, "again", i)));
    CHECK_EQUAL(size, file_stat(".").size); // entries are used again
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

TEST(numbers_of_removed_files_are_used_again) {
    uint32_t most = 0;
    for (int i = 0; i < 100; i++) {
        file_make_pattern("file", 100);
        uint32_t inode = file_stat("file").ino;
        most = i < 10 && inode > most ? inode : most;
        CHECK(inode <= most + 10);
        CHECK_EQUAL(0, unlink("file"));
    }
}

TEST(tree_of_everything) {
    CHECK_EQUAL(0, mkdir("dd"));
    CHECK_EQUAL(0, mkdir("dd/dd"));
    file_make("dd/file", "file", 4);
    file_make("dd/dd/file", "FILE", 4);
    CHECK_EQUAL(0, link("dd/dd/file", "dd/dd/link"));
    CHECK_EQUAL(0, unlink("dd/dd/file"));
    CHECK(!file_exists("dd/dd/file"));
    CHECK_EQUAL(0, chdir("dd/../dd/../dd/dd"));
    CHECK_EQUAL(4, file_stat("link").size);
    CHECK_EQUAL(4, file_stat("../file").size);
    CHECK_EQUAL(0, chdir("./../.."));
    CHECK_FAILS(unlink("dd"), ENOTEMPTY);
    CHECK_FAILS(unlink("dd/dd"), ENOTEMPTY);
    CHECK_EQUAL(0, unlink("dd/dd/link"));
    CHECK_EQUAL(0, unlink("dd/dd"));
    CHECK_EQUAL(0, unlink("dd/file"));
    CHECK_EQUAL(0, unlink("dd"));
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
                CHECK_EQUAL(0, close(fd));
            }
        }
    }
    CHECK_CHILDREN(CHILDREN);
    for (unsigned i = 0; i < NAMES; i++) {
        CHECK_EQUAL(1, count_entries(".", name_with(name, "name", i), &inode));
        CHECK_EQUAL(1, file_stat(name).nlink);
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
    CHECK_EQUAL(1, file_stat("file").nlink);
}

TEST(one_wins_mkdir_and_link) {
    enum { CHILDREN = 4, ROUNDS = 15 };
    char name[NAME_BYTES + 1];
    int report[2];
    file_make_empty("file");
    CHECK_EQUAL(0, pipe(report));
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
    CHECK_EQUAL(ROUNDS, directories);
    CHECK_EQUAL(ROUNDS, links);
    CHECK_EQUAL(ROUNDS + 1, file_stat("file").nlink);
}

TEST(one_wins_unlink) {
    enum { CHILDREN = 4, ROUNDS = 15 };
    char name[NAME_BYTES + 1];
    int report[2];
    CHECK_EQUAL(0, pipe(report));
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
    CHECK_EQUAL(ROUNDS, total);
}

TEST(directories_crosswise) {
    CHECK_EQUAL(0, mkdir("one"));
    CHECK_EQUAL(0, mkdir("two"));
    for (int child = 0; child < 4; child++) {
        IN_CHILD {
            for (int i = 0; i < 40; i++) {
                const char *from = child % 2 == 0 ? "one/../two" : "two/../one";
                char path[64];
                snprintf(path, sizeof path, "%s/%d", from, child);
                close(open(path, O_CREATE | O_RDWR));
                link(path, child % 2 == 0 ? "one/../two/../one/x" : "two/../one/../two/x");
                unlink(child % 2 == 0 ? "two/../one/x" : "one/../two/x");
                CHECK_EQUAL(0, unlink(path));
                chdir(child % 2 == 0 ? "one/../two" : "two/../one");
                CHECK_EQUAL(0, chdir(".."));
            }
        }
    }
    CHECK_CHILDREN(4);
    unlink("one/x");
    unlink("two/x");
    CHECK_EQUAL(0, unlink("one"));
    CHECK_EQUAL(0, unlink("two"));
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
