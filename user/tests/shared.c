// Memory that processes share for good: one frame for all, whichever process touches it first,
// until the last one leaves.
#define TEST_FAMILY "shared"
#include "test.h"

#include "shared.h"

static char *shared, *private;

// Two processes make the same stores: through shared memory they are seen, through private memory
// not.
TEST(processes_communicate_through_shared_memory) {
    shared = map_shared();
    private = map_pages(SHARED_PAGES, RW, MAP_PRIVATE);
    shared[0] = private[0] = 'p';
    IN_CHILD {
        CHECK(shared[0] == 'p' && private[0] == 'p');
        shared[0] = private[0] = 'c';
        shared[PAGE_BYTES] = private[PAGE_BYTES] = 'c'; // these were untouched
    }
    CHECK_CHILD(0);
    CHECK(shared[0] == 'c' && private[0] == 'p');
    CHECK(shared[PAGE_BYTES] == 'c' && private[PAGE_BYTES] == 0);
}

// The entries of both are writable, without the COW bit; the object has a reference, too.
TEST(shared_page_is_one_frame) {
    shared = map_shared();
    shared[0] = 1;
    struct pageinfo before = test_page(shared);
    CHECK_EQUAL(PAGE_REGION | PAGE_PRESENT | PAGE_READ | PAGE_WRITE | PAGE_SHARED, before.flags);
    CHECK_EQUAL(2, before.sharers);
    struct companion child = companion_start(NULL, NULL);
    struct pageinfo mine = test_page(shared), childs = page_of(child.pid, shared);
    CHECK_FRAME(before.frame, mine.frame);
    CHECK_FRAME(before.frame, childs.frame);
    CHECK_EQUAL(before.flags, mine.flags);
    CHECK_EQUAL(before.flags, childs.flags);
    CHECK_EQUAL(3, mine.sharers);
    CHECK_EQUAL(before.flags & ~PAGE_PRESENT, test_page(shared + PAGE_BYTES).flags);
    struct memstat stat = start_counting();
    shared[0] = 2;
    struct memstat now = test_memstat();
    CHECK_EQUAL(stat.frames_free, now.frames_free);
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        CHECK_EQUAL(stat.faults[kind], now.faults[kind]);
    companion_end(&child);
    CHECK_EQUAL(2, test_page(shared).sharers);
}

// A page that is first touched after fork is one frame, too; the second process finds it.
TEST(pages_touched_after_fork_are_shared) {
    shared = map_shared();
    struct memstat before = start_counting();
    struct companion child = companion_start(fill_with_threes, shared);
    CHECK_EQUAL(0, test_page(shared).flags & PAGE_PRESENT);
    struct memstat now = test_memstat();
    CHECK_EQUAL(before.faults[FAULT_SHARED] + SHARED_PAGES, now.faults[FAULT_SHARED]);
    CHECK_EQUAL(before.frames_promised - SHARED_PAGES, now.frames_promised);
    uint64_t frames = user_frames();
    CHECK_BYTES(shared, 3, SHARED_PAGES * PAGE_BYTES);
    CHECK_EQUAL(frames, user_frames());
    CHECK_EQUAL(before.faults[FAULT_SHARED] + 2 * SHARED_PAGES,
                test_memstat().faults[FAULT_SHARED]);
    for (int i = 0; i < SHARED_PAGES; i++) {
        CHECK_FRAME(page_of(child.pid, shared + i * PAGE_BYTES).frame,
                    test_page(shared + i * PAGE_BYTES).frame);
        CHECK_EQUAL(3, test_page(shared + i * PAGE_BYTES).sharers);
    }
    companion_end(&child);
    CHECK_BYTES(shared, 3, SHARED_PAGES * PAGE_BYTES);
}

TEST(kernel_may_touch_shared_pages_first) {
    int fds[2];
    shared = map_shared();
    CHECK_EQUAL(0, pipe(fds));
    IN_CHILD {
        write_fully(fds[1], "through the kernel", 19);
        read_fully(fds[0], shared + PAGE_BYTES - 7, 19);
    }
    CHECK_CHILD(0);
    CHECK_STRING("through the kernel", shared + PAGE_BYTES - 7);
    CHECK_EQUAL(-1, wait(NULL));
    IN_CHILD exit(7);
    CHECK(wait((int *)(shared + 3 * PAGE_BYTES)) > 0);
    CHECK_EQUAL(7, *(int *)(shared + 3 * PAGE_BYTES));
}

// The memory is freed with the last process that has it, and no sooner.
TEST(shared_memory_ends_with_its_last_user) {
    struct memstat before = start_counting();
    int go[2], result[2];
    char byte;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(result));
    shared = map_shared();
    memset(shared, 1, SHARED_PAGES * PAGE_BYTES);
    IN_CHILD {
        IN_CHILD {
            CHECK_EQUAL(0, close(go[1]));
            CHECK_EQUAL(0, read(go[0], &byte, 1));
            CHECK_BYTES(shared, 1, SHARED_PAGES * PAGE_BYTES);
            write_fully(result[1], "y", 1);
        }
    }
    CHECK_CHILD(0);
    uint64_t frames = user_frames();
    unmap_pages(shared, SHARED_PAGES);
    CHECK_EQUAL(frames, user_frames());
    CHECK_EQUAL(0, close(go[1]));
    read_fully(result[0], &byte, 1);
    CHECK_EQUAL(0, close(go[0]));
    CHECK_EQUAL(0, close(result[0]));
    CHECK_EQUAL(0, close(result[1]));
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_settle(before.frames_free));
    CHECK_EQUAL(before.frames_promised, test_memstat().frames_promised);
}

TEST(exec_and_kill_leave_shared_memory) {
    struct memstat before = start_counting();
    shared = map_shared();
    for (int way = 0; way < 3; way++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            memset(shared, way, SHARED_PAGES * PAGE_BYTES);
            if (way == 1)
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            if (way == 2)
                kill(getpid());
            exit(0);
        }
        CHECK_CHILD(way == 2 ? TEST_STATUS_KILLED : 0);
        CHECK_BYTES(shared, way, SHARED_PAGES * PAGE_BYTES);
        CHECK_EQUAL(2, test_page(shared).sharers);
    }
    unmap_pages(shared, SHARED_PAGES);
    check_all_back(&before);
}

// When one side unmaps a part, the other keeps it.
TEST(pieces_of_shared_memory) {
    struct memstat before = start_counting();
    shared = map_shared();
    IN_CHILD {
        unmap_pages(shared + 3 * PAGE_BYTES, 2); // two regions of one object
        memset(shared, 1, 3 * PAGE_BYTES);
        memset(shared + 5 * PAGE_BYTES, 1, 3 * PAGE_BYTES);
        unmap_pages(shared, 1);
        unmap_pages(shared + 7 * PAGE_BYTES, 1);
        IN_CHILD memset(shared + PAGE_BYTES, 2, PAGE_BYTES);
        CHECK_CHILD(0);
        check_touch_kills(shared + 3 * PAGE_BYTES, TOUCH_LOAD);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 1, PAGE_BYTES);
    CHECK_BYTES(shared + PAGE_BYTES, 2, PAGE_BYTES);
    CHECK_BYTES(shared + 2 * PAGE_BYTES, 1, PAGE_BYTES);
    CHECK_BYTES(shared + 3 * PAGE_BYTES, 0, 2 * PAGE_BYTES);
    CHECK_BYTES(shared + 5 * PAGE_BYTES, 1, 3 * PAGE_BYTES);
    unmap_pages(shared + PAGE_BYTES, 5);
    IN_CHILD memset(shared + 6 * PAGE_BYTES, 3, 2 * PAGE_BYTES);
    CHECK_CHILD(0);
    CHECK_BYTES(shared + 6 * PAGE_BYTES, 3, 2 * PAGE_BYTES);
    unmap_pages(shared, SHARED_PAGES);
    check_all_back(&before);
}

// A mapping that is unmapped and made again is another object.
TEST(each_mapping_is_its_own_object) {
    shared = map_shared();
    char *other = map_shared();
    memset(shared, 1, SHARED_PAGES * PAGE_BYTES);
    CHECK_BYTES(other, 0, SHARED_PAGES * PAGE_BYTES);
    IN_CHILD {
        unmap_pages(shared, SHARED_PAGES);
        CHECK(mmap(shared, PAGE_BYTES, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
              shared);
        CHECK_BYTES(shared, 0, PAGE_BYTES);
        memset(shared, 9, PAGE_BYTES);
        memset(other, 9, PAGE_BYTES);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 1, SHARED_PAGES * PAGE_BYTES);
    CHECK_BYTES(other, 9, PAGE_BYTES);
}

TEST(shared_memory_spans_generations) {
    enum { DEPTH = 12 };
    shared = map_shared();
    shared[0] = 1; // so that each has an entry as soon as it exists
    int depth = 0;
    while (depth < DEPTH && TEST_FORK() == 0)
        depth++;
    shared[depth] = (char)(depth + 1);
    shared[PAGE_BYTES + depth] = (char)(depth + 1);
    if (depth == DEPTH)
        CHECK_EQUAL(DEPTH + 2, test_page(shared).sharers);
    if (depth < DEPTH)
        CHECK_CHILD(0);
    if (depth > 0)
        exit(0);
    for (int i = 0; i <= DEPTH; i++)
        CHECK(shared[i] == i + 1 && shared[PAGE_BYTES + i] == i + 1);
    CHECK_EQUAL(2, test_page(shared).sharers);
}

// Private memory beside it is copied on write as always; the shared pages do not interfere.
TEST(private_memory_beside_shared_memory) {
    struct memstat before = start_counting();
    private = map_pages(SHARED_PAGES, RW, MAP_PRIVATE);
    memset(private, 1, SHARED_PAGES * PAGE_BYTES);
    shared = map_shared();
    memset(shared, 1, SHARED_PAGES * PAGE_BYTES);
    for (int i = 0; i < 4; i++) {
        IN_CHILD {
            for (int page = 0; page < SHARED_PAGES; page++)
                shared[page * PAGE_BYTES + i] = private[page * PAGE_BYTES + i] = (char)(i + 2);
            CHECK_EQUAL(1, test_page(private).sharers);
        }
    }
    CHECK_CHILDREN(4);
    CHECK_BYTES(private, 1, SHARED_PAGES * PAGE_BYTES);
    for (int page = 0; page < SHARED_PAGES; page++)
        CHECK(memcmp(shared + page * PAGE_BYTES, "\2\3\4\5\1", 5) == 0);
    unmap_pages(shared, SHARED_PAGES);
    unmap_pages(private, SHARED_PAGES);
    check_all_back(&before);
}

TEST(shared_memory_in_a_vfork_child) {
    shared = map_shared();
    pid_t pid = vfork();
    if (pid == 0) {
        shared[0] = 1;
        exit(test_page(shared).sharers == 2 ? 0 : 1);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(1, shared[0]);
    CHECK_EQUAL(2, test_page(shared).sharers);
}
