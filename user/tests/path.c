// Paths and names: equivalent paths, names that are missing, that exist already or are too long,
// and links.
#define TEST_FAMILY "path"
#include "test.h"

#include "support.h"

TEST(equivalent_paths_name_one_file) {
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

TEST(missing_names_are_not_found) {
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

TEST(files_are_not_directories) {
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

TEST(existing_names_are_not_replaced) {
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

TEST(longest_path_works_and_a_longer_one_fails) {
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

TEST(names_may_hold_any_byte) {
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

TEST(chdir_changes_the_starting_point) {
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

TEST(small_tree_with_links) {
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
