// vfork and processes: who sleeps and who runs, also when vforks are nested; what parent and child
// each have for themselves; and what wait says of such children.
#define TEST_FAMILY "vfork"
#include "test.h"

#include "vfork.h"

TEST(parent_sleeps_until_exit) {
    pid_t self = getpid();
    IN_VFORK_CHILD {
        for (int i = 0; i < 3; i++) {
            note('c');
            sleep(1);
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(self));
        }
    }
    note('p');
    check_order("cccp");
    CHECK_CHILD(0);
}

// Another child answers the vfork child while the parent sleeps.
TEST(only_the_parent_sleeps) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    IN_CHILD {
        char byte;
        close(to[1]);
        while (read(to[0], &byte, 1) == 1)
            write_fully(from[1], &byte, 1);
    }
    IN_VFORK_CHILD {
        for (char i = 0; i < 20; i++) {
            char byte = 0;
            write_fully(to[1], &i, 1);
            read_fully(from[0], &byte, 1);
            CHECK_EQUAL(i, byte);
        }
        note('c');
    }
    note('p');
    check_order("cp");
    CHECK_EQUAL(0, close(to[1]));
    CHECK_CHILDREN(2);
}

TEST(nested_vfork) {
    vfork_set_up();
    IN_VFORK_CHILD {
        IN_VFORK_CHILD {
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(getpid())));
            CHECK_EQUAL(PROCESS_SLEEPING, state_of(parent_of(parent_of(getpid()))));
            sleep(1);
            note('c');
            counter = 3;
        }
        CHECK_EQUAL(3, counter);
        sleep(1);
        note('b');
        CHECK_CHILD(0);
        counter = 4;
    }
    note('a');
    check_order("cba");
    CHECK_EQUAL(4, counter);
    check_heap();
    CHECK_CHILD(0);
    CHECK_EQUAL(before.frames_free, test_frames_free());
}

TEST(deeply_nested_vfork) {
    static volatile int depth;
    while (depth < 20 && TEST_VFORK() == 0)
        depth++;
    // Each process comes here when its child has ended.
    if (counter < 20) {
        CHECK_EQUAL(20, depth);
        counter++;
        if (counter > 1)
            CHECK_CHILD(0);
        exit(0);
    }
    CHECK_CHILD(0);
}

TEST(files_and_directory_are_separate) {
    file_make_pattern("file", 100);
    CHECK_EQUAL(0, mkdir("directory"));
    int fd = open("file", O_RDONLY), lowest = lowest_free_fd();
    static char bytes[30];
    IN_VFORK_CHILD {
        read_fully(fd, bytes, 10); // the offset is one
        CHECK_EQUAL(0, chdir("directory"));
        file_make_empty("inside");
        CHECK_EQUAL(lowest, open("inside", O_RDONLY));
        for (int i = 0; i < TEST_FD; i++)
            close(i);
    }
    read_fully(fd, bytes + 10, 10);
    pattern_check(bytes, 0, 20);
    CHECK_EQUAL(lowest, lowest_free_fd());
    CHECK(file_exists("directory/inside") && !file_exists("inside"));
    CHECK_CHILD(0);
}

TEST(vfork_needs_a_free_process) {
    volatile int children = 0;
    int end[2];
    pid_t pid = 0;
    CHECK_EQUAL(0, pipe(end));
    vfork_set_up();
    for (; (pid = fork()) > 0; children++)
        ;
    if (pid == 0) {
        char byte;
        close(end[1]);
        exit(read(end[0], &byte, 1));
    }
    if (errno == EAGAIN) {
        CHECK_FAILS(vfork(), EAGAIN);
        CHECK_FAILS(vfork(), EAGAIN);
    }
    check_heap();
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILDREN(children);
    IN_VFORK_CHILD {}
    CHECK_CHILD(0);
}

TEST(status_of_vfork_children_reaches_wait) {
    static const int statuses[] = {0, 1, 77, 255, 256, -1, INT32_MAX, INT32_MIN};
    int end[2];
    CHECK_EQUAL(0, pipe(end));
    pid_t other = TEST_FORK();
    if (other == 0) {
        char byte;
        close(end[1]);
        exit(read(end[0], &byte, 1));
    }
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        pid_t pid = TEST_VFORK();
        if (pid == 0) {
            CHECK_FAILS(wait(NULL), ECHILD); // the parent's children are not its own
            exit(statuses[i]);
        }
        int status = 5;
        CHECK(pid != other);
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(statuses[i], status);
    }
    CHECK_EQUAL(0, close(end[1]));
    CHECK_CHILD(0);
}

TEST(vfork_children_need_not_be_waited_for) {
    for (int round = 0; round < 5; round++) {
        IN_CHILD {
            for (int i = 0; i < 10; i++)
                IN_VFORK_CHILD {}
        }
        CHECK_CHILD(0);
    }
}

TEST(many_vfork_at_once) {
    enum { PROCESSES = 12 };
    vfork_set_up();
    for (int i = 0; i < PROCESSES; i++)
        IN_CHILD vfork_rounds(40);
    CHECK_CHILDREN(PROCESSES);
}

TEST(vfork_many_times_leaks_nothing) {
    vfork_set_up();
    vfork_rounds(200);
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_frames_free());
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised);
}
