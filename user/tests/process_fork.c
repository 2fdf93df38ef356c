// Processes that fork: pids, descendants, orphans, and the end of the process table.
#define TEST_FAMILY "process"
#include "test.h"

#include "support.h"

TEST(fork_gives_unique_pids) {
    enum { CHILDREN = 50 };
    pid_t pids[CHILDREN];
    int end[2], report[2];
    CHECK_EQUAL(0, pipe(end));
    CHECK_EQUAL(0, pipe(report));
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = TEST_FORK();
        if (pids[i] == 0) {
            close(end[1]);
            pid_t self = getpid();
            write_fully(report[1], &self, sizeof self);
            char byte;
            exit(read(end[0], &byte, 1));
        }
        pid_t seen;
        read_fully(report[0], &seen, sizeof seen);
        CHECK_EQUAL(pids[i], seen);
        CHECK(seen > 1 && seen != getpid());
        for (int k = 0; k < i; k++)
            CHECK(pids[k] != seen);
    }
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(CHILDREN);
}

TEST(children_may_fork_too) {
    for (int i = 0; i < 4; i++) {
        IN_CHILD {
            for (int k = 0; k < 40; k++) {
                IN_CHILD {}
                CHECK_CHILD(0);
            }
        }
    }
    CHECK_CHILDREN(4);
}

TEST(deep_chain_of_descendants) {
    int depth = 0;
    while (depth < 40 && TEST_FORK() == 0)
        depth++;
    if (depth < 40)
        CHECK_CHILD(0);
    if (depth > 0)
        exit(0);
}

TEST(orphans_are_adopted_by_process_one) {
    int report[2];
    CHECK_EQUAL(0, pipe(report));
    IN_CHILD {
        IN_CHILD {
            struct procinfo info = {0};
            for (; info.parent != 1; sleep(1))
                CHECK_EQUAL(getpid(), procinfo(getpid(), &info));
            write_fully(report[1], &info.parent, sizeof info.parent);
        }
    }
    CHECK_CHILD(0);
    int parent;
    read_fully(report[0], &parent, sizeof parent);
    CHECK_EQUAL(1, parent);
}

TEST(orphaned_zombies_are_freed) {
    for (int round = 0; round < 10; round++) {
        IN_CHILD {
            for (int i = 0; i < 10; i++)
                IN_CHILD {}
        }
        CHECK_CHILD(0);
    }
}

TEST(parents_and_children_may_end_at_once) {
    uint32_t seed = 11;
    for (int round = 0; round < 100; round++) {
        unsigned parent_delay = random_next(&seed) % 4096, child_delay = random_next(&seed) % 4096;
        IN_CHILD {
            IN_CHILD {
                IN_CHILD {}
                delay(child_delay);
            }
            IN_CHILD {}
            delay(parent_delay);
        }
        CHECK_CHILD(0);
    }
}

// With fork=eager, a child needs a frame for each of them.
static uint64_t own_pages(void) {
    struct procinfo info;
    CHECK_EQUAL(getpid(), procinfo(getpid(), &info));
    return info.pages_resident;
}

TEST(full_process_table_refuses_fork) {
    int end[2];
    pid_t pid = 0;
    CHECK_EQUAL(0, pipe(end));
    int children = 0;
    for (; (pid = fork()) > 0; children++)
        ;
    if (pid == 0) {
        close(end[1]);
        char byte;
        exit(read(end[0], &byte, 1));
    }
    CHECK(errno == EAGAIN || (errno == ENOMEM && test_frames_free() < 64 + own_pages()));
    CHECK(children > 60 && children < PROCS_MAX);
    CHECK_EQUAL(-1, fork());
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(children);
    for (int i = 0; i < 10; i++)
        IN_CHILD {}
    CHECK_CHILDREN(10);
}

// All processes fork until the table is full; one that notices makes the file that stops them all.
TEST_SLOW(fork_bomb_ends) {
    IN_CHILD {
        while (!file_exists("stop")) {
            if (fork() < 0)
                file_make_empty("stop");
        }
    }
    CHECK_CHILD(0);
    while (test_orphan_lives())
        sleep(1);
    IN_CHILD {}
    CHECK_CHILD(0);
}
