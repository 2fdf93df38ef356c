// What several processes do to one name at the same time.
#define TEST_FAMILY "path"
#include "test.h"

#include "support.h"

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
        CHECK_EQUAL(1, directory_count(".", name_with(name, "name", i), &inode));
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

TEST(one_process_wins_mkdir_and_link) {
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

TEST(one_process_wins_unlink) {
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

TEST(crossing_paths_do_not_deadlock) {
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
