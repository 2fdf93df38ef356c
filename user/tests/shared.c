// Memory that processes share for good: one frame for all, whoever touches it first, until the last
// one leaves; and files that several processes map.
#define TEST_FAMILY "shared"
#include "test.h"

#include "support.h"

enum { RW = PROT_READ | PROT_WRITE, PAGES = 8 };

static struct memstat start_counting(void) {
    test_own_pages();
    return test_memstat();
}

static void check_all_back(const struct memstat *before) {
    test_own_pages();
    struct memstat now = test_memstat();
    CHECK_EQUAL(before->frames_free, now.frames_free);
    CHECK_EQUAL(before->frames_promised, now.frames_promised);
}

static char *map_shared(void) {
    return map_pages(PAGES, RW, MAP_SHARED);
}

static struct pageinfo page_of(pid_t pid, const void *p) {
    struct pageinfo info;
    CHECK_EQUAL(1, pagemap(pid, (uintptr_t)p / PAGE * PAGE, &info, 1));
    return info;
}

// A child that waits to be told that it may end, once it has come to wait.
struct companion {
    pid_t pid;
    int go, ready;
};

static struct companion companion_start(void (*work)(void)) {
    int go[2], ready[2];
    char byte;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(ready));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(go[1]));
        if (work != NULL)
            work();
        write_fully(ready[1], "", 1);
        exit(read(go[0], &byte, 1));
    }
    CHECK_EQUAL(0, close(go[0]));
    CHECK_EQUAL(0, close(ready[1]));
    read_fully(ready[0], &byte, 1);
    return (struct companion){pid, go[1], ready[0]};
}

static void companion_end(struct companion *c) {
    CHECK_EQUAL(0, close(c->go));
    CHECK_EQUAL(0, close(c->ready));
    CHECK_CHILD(0);
}

static char *shared, *private;

// Two processes, the same stores: through shared memory they are seen, through private memory not.
TEST(processes_communicate_through_shared_memory) {
    shared = map_shared();
    private = map_pages(PAGES, RW, MAP_PRIVATE);
    shared[0] = private[0] = 'p';
    IN_CHILD {
        CHECK(shared[0] == 'p' && private[0] == 'p');
        shared[0] = private[0] = 'c';
        shared[PAGE] = private[PAGE] = 'c'; // nobody has touched these
    }
    CHECK_CHILD(0);
    CHECK(shared[0] == 'c' && private[0] == 'p');
    CHECK(shared[PAGE] == 'c' && private[PAGE] == 0);
}

// Entries in both are writable and unmarked; the object names the frame, too.
TEST(shared_page_is_one_frame) {
    shared = map_shared();
    shared[0] = 1;
    struct pageinfo before = test_page(shared);
    CHECK_EQUAL(PAGE_REGION | PAGE_PRESENT | PAGE_READ | PAGE_WRITE | PAGE_SHARED, before.flags);
    CHECK_EQUAL(2, before.sharers);
    struct companion child = companion_start(NULL);
    struct pageinfo mine = test_page(shared), childs = page_of(child.pid, shared);
    CHECK_FRAME(before.frame, mine.frame);
    CHECK_FRAME(before.frame, childs.frame);
    CHECK_EQUAL(before.flags, mine.flags);
    CHECK_EQUAL(before.flags, childs.flags);
    CHECK_EQUAL(3, mine.sharers);
    CHECK_EQUAL(before.flags & ~PAGE_PRESENT, test_page(shared + PAGE).flags);
    struct memstat stat = start_counting();
    shared[0] = 2;
    struct memstat now = test_memstat();
    CHECK_EQUAL(stat.frames_free, now.frames_free);
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        CHECK_EQUAL(stat.faults[kind], now.faults[kind]);
    companion_end(&child);
    CHECK_EQUAL(2, test_page(shared).sharers);
}

static void touch_all(void) {
    memset(shared, 3, PAGES * PAGE);
}

// What is first touched after fork is one frame, too; the second process finds it.
TEST(pages_touched_after_fork_are_shared) {
    shared = map_shared();
    struct memstat before = start_counting();
    struct companion child = companion_start(touch_all);
    CHECK_EQUAL(0, test_page(shared).flags & PAGE_PRESENT);
    struct memstat now = test_memstat();
    CHECK_EQUAL(before.faults[FAULT_SHARED] + PAGES, now.faults[FAULT_SHARED]);
    CHECK_EQUAL(before.frames_promised - PAGES, now.frames_promised);
    uint64_t frames = user_frames();
    CHECK_BYTES(shared, 3, PAGES * PAGE);
    CHECK_EQUAL(frames, user_frames());
    CHECK_EQUAL(before.faults[FAULT_SHARED] + 2 * PAGES, test_memstat().faults[FAULT_SHARED]);
    for (int i = 0; i < PAGES; i++) {
        CHECK_FRAME(page_of(child.pid, shared + i * PAGE).frame,
                    test_page(shared + i * PAGE).frame);
        CHECK_EQUAL(3, test_page(shared + i * PAGE).sharers);
    }
    companion_end(&child);
    CHECK_BYTES(shared, 3, PAGES * PAGE);
}

TEST(kernel_touches_shared_pages_first) {
    int fds[2];
    shared = map_shared();
    CHECK_EQUAL(0, pipe(fds));
    IN_CHILD {
        write_fully(fds[1], "through the kernel", 19);
        read_fully(fds[0], shared + PAGE - 7, 19);
    }
    CHECK_CHILD(0);
    CHECK_STRING("through the kernel", shared + PAGE - 7);
    CHECK_EQUAL(-1, wait(NULL));
    IN_CHILD exit(7);
    CHECK(wait((int *)(shared + 3 * PAGE)) > 0);
    CHECK_EQUAL(7, *(int *)(shared + 3 * PAGE));
}

// The memory is free with the last process that has it, and no sooner.
TEST(shared_memory_ends_with_its_last_user) {
    struct memstat before = start_counting();
    int go[2], result[2];
    char byte;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(result));
    shared = map_shared();
    memset(shared, 1, PAGES * PAGE);
    IN_CHILD {
        IN_CHILD {
            CHECK_EQUAL(0, close(go[1]));
            CHECK_EQUAL(0, read(go[0], &byte, 1));
            CHECK_BYTES(shared, 1, PAGES * PAGE);
            write_fully(result[1], "y", 1);
        }
    }
    CHECK_CHILD(0);
    uint64_t frames = user_frames();
    unmap_pages(shared, PAGES);
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
            memset(shared, way, PAGES * PAGE);
            if (way == 1)
                exec(USERTESTS, (char *[]){"+exit", "0", NULL});
            if (way == 2)
                kill(getpid());
            exit(0);
        }
        CHECK_CHILD(way == 2 ? TEST_STATUS_KILLED : 0);
        CHECK_BYTES(shared, way, PAGES * PAGE);
        CHECK_EQUAL(2, test_page(shared).sharers);
    }
    unmap_pages(shared, PAGES);
    check_all_back(&before);
}

// One side's unmapping is not the other's.
TEST(pieces_of_shared_memory) {
    struct memstat before = start_counting();
    shared = map_shared();
    IN_CHILD {
        unmap_pages(shared + 3 * PAGE, 2); // two regions of one object
        memset(shared, 1, 3 * PAGE);
        memset(shared + 5 * PAGE, 1, 3 * PAGE);
        unmap_pages(shared, 1);
        unmap_pages(shared + 7 * PAGE, 1);
        IN_CHILD memset(shared + PAGE, 2, PAGE);
        CHECK_CHILD(0);
        check_touch_kills(shared + 3 * PAGE, TOUCH_LOAD);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 1, PAGE);
    CHECK_BYTES(shared + PAGE, 2, PAGE);
    CHECK_BYTES(shared + 2 * PAGE, 1, PAGE);
    CHECK_BYTES(shared + 3 * PAGE, 0, 2 * PAGE);
    CHECK_BYTES(shared + 5 * PAGE, 1, 3 * PAGE);
    unmap_pages(shared + PAGE, 5);
    IN_CHILD memset(shared + 6 * PAGE, 3, 2 * PAGE);
    CHECK_CHILD(0);
    CHECK_BYTES(shared + 6 * PAGE, 3, 2 * PAGE);
    unmap_pages(shared, PAGES);
    check_all_back(&before);
}

// A mapping unmapped and made again is another object.
TEST(each_mapping_is_an_object) {
    shared = map_shared();
    char *other = map_shared();
    memset(shared, 1, PAGES * PAGE);
    CHECK_BYTES(other, 0, PAGES * PAGE);
    IN_CHILD {
        unmap_pages(shared, PAGES);
        CHECK(mmap(shared, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == shared);
        CHECK_BYTES(shared, 0, PAGE);
        memset(shared, 9, PAGE);
        memset(other, 9, PAGE);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 1, PAGES * PAGE);
    CHECK_BYTES(other, 9, PAGE);
}

// Promised once, whoever maps it, and each touch takes one promise, whoever touches.
TEST(shared_memory_is_promised_once) {
    struct memstat before = start_counting();
    shared = map_shared();
    CHECK_EQUAL(before.frames_promised + PAGES, test_memstat().frames_promised);
    struct companion child = companion_start(NULL);
    CHECK_EQUAL(before.frames_promised + PAGES, test_memstat().frames_promised);
    companion_end(&child);
    CHECK_EQUAL(before.frames_promised + PAGES, test_memstat().frames_promised);
    IN_CHILD shared[0] = 1;
    CHECK_CHILD(0);
    CHECK_EQUAL(before.frames_promised + PAGES - 1, test_memstat().frames_promised);
    shared[0] = 1;
    shared[PAGE] = 1;
    CHECK_EQUAL(before.frames_promised + PAGES - 2, test_memstat().frames_promised);
    unmap_pages(shared, PAGES);
    check_all_back(&before);
}

// The child may touch what the parent was promised, though nothing else is left.
TEST(child_touches_what_was_promised) {
    shared = map_shared();
    shared[0] = 1;
    IN_CHILD {
        memory_promise_all();
        memset(shared, 2, PAGES * PAGE);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 2, PAGES * PAGE);
}

TEST(shared_memory_of_many_generations) {
    enum { DEPTH = 12 };
    shared = map_shared();
    shared[0] = 1; // so that each has an entry as soon as it exists
    int depth = 0;
    while (depth < DEPTH && TEST_FORK() == 0)
        depth++;
    shared[depth] = (char)(depth + 1);
    shared[PAGE + depth] = (char)(depth + 1);
    if (depth == DEPTH)
        CHECK_EQUAL(DEPTH + 2, test_page(shared).sharers);
    if (depth < DEPTH)
        CHECK_CHILD(0);
    if (depth > 0)
        exit(0);
    for (int i = 0; i <= DEPTH; i++)
        CHECK(shared[i] == i + 1 && shared[PAGE + i] == i + 1);
    CHECK_EQUAL(2, test_page(shared).sharers);
}

// Private memory beside it is copied on write as ever; the shared pages are in nobody's way.
TEST(private_memory_beside_shared_memory) {
    struct memstat before = start_counting();
    private = map_pages(PAGES, RW, MAP_PRIVATE);
    memset(private, 1, PAGES * PAGE);
    shared = map_shared();
    memset(shared, 1, PAGES * PAGE);
    for (int i = 0; i < 4; i++) {
        IN_CHILD {
            for (int page = 0; page < PAGES; page++)
            private[page * PAGE + i] = shared[page * PAGE + i] = (char)(i + 2);
            CHECK_EQUAL(1, test_page(private).sharers);
        }
    }
    CHECK_CHILDREN(4);
    CHECK_BYTES(private, 1, PAGES * PAGE);
    for (int page = 0; page < PAGES; page++)
        CHECK(memcmp(shared + page * PAGE, "\2\3\4\5\1", 5) == 0);
    unmap_pages(shared, PAGES);
    unmap_pages(private, PAGES);
    check_all_back(&before);
}

// Each on its own word of one page: no store is lost.
TEST(many_write_words_of_one_page) {
    enum { WRITERS = 8, ROUNDS = 20000 };
    volatile uint64_t *words = (uint64_t *)map_shared();
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            for (int round = 0; round < ROUNDS; round++)
                words[i]++;
        }
    }
    CHECK_CHILDREN(WRITERS);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQUAL(ROUNDS, words[i]);
}

TEST(atomic_counters_are_exact) {
    enum { WRITERS = 8, ROUNDS = 10000 };
    struct {
        uint64_t sum;
        uint32_t taken, lock; // the sum of those who took the lock, and the lock
    } *counters = (void *)map_shared();
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            for (uint64_t round = 0; round < ROUNDS; round++) {
                __atomic_fetch_add(&counters->sum, round, __ATOMIC_RELAXED);
                if (__atomic_exchange_n(&counters->lock, 1, __ATOMIC_ACQUIRE) != 0)
                    continue;
                *(volatile uint32_t *)&counters->taken += 1;
                __atomic_fetch_add(&counters->sum, 1ul << 40, __ATOMIC_RELAXED);
                __atomic_store_n(&counters->lock, 0, __ATOMIC_RELEASE);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    CHECK_EQUAL((uint64_t)WRITERS * ROUNDS * (ROUNDS - 1) / 2, counters->sum & ((1ul << 40) - 1));
    CHECK_EQUAL(counters->taken, counters->sum >> 40);
    CHECK(counters->taken > 0);
}

// All touch each page first, at the same time: one of them makes it.
TEST(many_touch_pages_first_at_once) {
    enum { WRITERS = 6, AREA = 200, ROUNDS = 3 };
    struct memstat before = start_counting();
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t *words = (uint32_t *)map_pages(AREA, RW, MAP_SHARED);
        for (int i = 0; i < WRITERS; i++) {
            IN_CHILD {
                for (int page = 0; page < AREA; page++)
                    __atomic_fetch_add(words + page * PAGE / 4, 1, __ATOMIC_RELAXED);
            }
        }
        CHECK_CHILDREN(WRITERS);
        for (int page = 0; page < AREA; page++)
            CHECK_EQUAL(WRITERS, words[page * PAGE / 4]);
        unmap_pages(words, AREA);
    }
    check_all_back(&before);
}

// A ball that two processes throw to each other, without any system call in between but to wait.
TEST(two_processes_take_turns) {
    enum { THROWS = 6 };
    volatile int *ball = (int *)map_shared();
    IN_CHILD {
        for (int i = 0; i < THROWS; i += 2) {
            while (*ball != i)
                sleep(0);
            *ball = i + 1;
        }
    }
    for (int i = 1; i < THROWS; i += 2) {
        while (*ball != i)
            continue;
        *ball = i + 1;
    }
    CHECK_CHILD(0);
    CHECK_EQUAL(THROWS, *ball);
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

// There is a limit to the objects of all processes; reaching it harms nobody.
TEST(shared_objects_are_limited) {
    enum { PROCESSES = 12, EACH = 20 };
    struct memstat before = start_counting();
    int go[2], ready[2], failures = 0;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(ready));
    for (int i = 0; i < PROCESSES; i++) {
        IN_CHILD {
            char byte, count = 0;
            static char *starts[EACH];
            CHECK_EQUAL(0, close(go[1]));
            for (; count < EACH; count++) {
                starts[(int)count] = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                if (starts[(int)count] == MAP_FAILED)
                    break;
                *starts[(int)count] = (char)(i + count);
            }
            if (count < EACH)
                CHECK_EQUAL(ENOMEM, errno);
            write_fully(ready[1], &count, 1);
            CHECK_EQUAL(0, read(go[0], &byte, 1));
            for (int k = 0; k < count; k++)
                CHECK_EQUAL((char)(i + k), *starts[k]);
        }
    }
    CHECK_EQUAL(0, close(ready[1])); // a child that fails says nothing, and must not be waited for
    for (int i = 0; i < PROCESSES; i++) {
        char count;
        read_fully(ready[0], &count, 1);
        failures += count < EACH;
    }
    CHECK(failures > 0);
    CHECK_FAILS((long)mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
    *map_pages(1, RW, MAP_PRIVATE) = 1;
    CHECK_EQUAL(0, close(go[1]));
    CHECK_CHILDREN(PROCESSES);
    CHECK_EQUAL(0, close(go[0]) + close(ready[0]));
    unmap_pages((char *)0x4000000000 - PAGE, 1);
    for (int i = 0; i < 300; i++)
        unmap_pages(map_shared(), PAGES);
    check_all_back(&before);
}

// Two processes that opened the file each for itself.
TEST(file_mapped_by_two_processes) {
    file_make_pattern("file", PAGES * PAGE);
    shared = map_file(open("file", O_RDWR), 0, PAGES * PAGE, RW, MAP_SHARED);
    IN_CHILD {
        char *own = map_file(open("file", O_RDWR), PAGE, PAGE, RW, MAP_SHARED);
        own[0] = 'x';
        CHECK_EQUAL('x', shared[PAGE]);
        CHECK_FRAME(test_page(shared + PAGE).frame, test_page(own).frame);
        shared[PAGE + 1] = 'y';
        CHECK_EQUAL('y', own[1]);
    }
    CHECK_CHILD(0);
    CHECK_EQUAL('x', shared[PAGE]);
    struct helper helper = helper_start((char *[]){"+store", "file", "5000", NULL});
    helper_finish(&helper, 0);
    CHECK_EQUAL('s', shared[5000]);
    pattern_check(shared, 0, PAGE);
    unmap_pages(shared, PAGES);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, 5001);
    CHECK(buffer[PAGE] == 'x' && buffer[PAGE + 1] == 'y' && buffer[5000] == 's');
}

TEST(mapped_file_stays_shared_across_fork) {
    file_make_pattern("file", PAGES * PAGE);
    shared = map_file(open("file", O_RDWR), 0, PAGES * PAGE, RW, MAP_SHARED);
    shared[0] = 'p';
    pattern_check(shared + PAGE, PAGE, PAGE); // read, not written
    struct memstat before = start_counting();
    struct companion child = companion_start(touch_all);
    CHECK_BYTES(shared, 3, PAGES * PAGE);
    CHECK_FRAME(page_of(child.pid, shared).frame, test_page(shared).frame);
    CHECK_EQUAL(3, test_page(shared).sharers);
    CHECK_EQUAL(PAGE_WRITE, test_page(shared).flags & (PAGE_WRITE | PAGE_COW));
    CHECK_EQUAL(0, test_page(shared + PAGE).flags & (PAGE_WRITE | PAGE_COW));
    struct memstat now = test_memstat();
    CHECK_EQUAL(true,
                now.faults[FAULT_COW_COPY] - before.faults[FAULT_COW_COPY] <
                    10); // of stacks and data
    companion_end(&child);
    CHECK_FAILS(open("file", O_RDWR | O_TRUNC), EBUSY);
    unmap_pages(shared, PAGES);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, PAGES * PAGE);
    CHECK_BYTES(buffer, 3, PAGES * PAGE);
}

// A private mapping of the file shows what was stored before its page is written.
TEST(private_mapping_beside_shared_mapping) {
    file_make_pattern("file", 2 * PAGE);
    int fd = open("file", O_RDWR);
    shared = map_file(fd, 0, 2 * PAGE, RW, MAP_SHARED);
    private = map_file(fd, 0, 2 * PAGE, RW, MAP_PRIVATE);
    private[0] = 'p';
    IN_CHILD {
        shared[1] = 's';
        shared[PAGE] = 's';
        private[PAGE] = 'c';
    }
    CHECK_CHILD(0);
    CHECK(shared[0] == (char)pattern_byte(0) && shared[1] == 's' && shared[PAGE] == 's');
    CHECK(private[0] == 'p' && private[1] == (char)pattern_byte(1) && private[PAGE] == 's');
    unmap_pages(shared, 2);
    private[PAGE] = 'x';
    read_fully(fd, buffer, 2 * PAGE);
    CHECK(buffer[0] == (char)pattern_byte(0) && buffer[1] == 's' && buffer[PAGE] == 's');
}

// Several processes count in a file; their changes are written back at any time.
TEST(counters_in_a_file_are_exact) {
    enum { WRITERS = 6, ROUNDS = 20 };
    memset(buffer, 0, 2 * PAGE);
    file_make("file", buffer, 2 * PAGE);
    for (int i = 0; i < WRITERS; i++) {
        IN_CHILD {
            int fd = open("file", O_RDWR);
            for (int round = 0; round < ROUNDS; round++) {
                uint32_t *words = (uint32_t *)map_file(fd, 0, 2 * PAGE, RW, MAP_SHARED);
                for (int k = 0; k < 100; k++)
                    __atomic_fetch_add(&words[k % 2 * PAGE / 4], 1, __ATOMIC_RELAXED);
                words[i + 1] += 1;
                if (round % 4 != 0)
                    unmap_pages(words, 2);
            }
        }
    }
    CHECK_CHILDREN(WRITERS);
    int fd = open("file", O_RDONLY);
    read_fully(fd, buffer, 2 * PAGE);
    uint32_t *words = (uint32_t *)buffer;
    CHECK_EQUAL(WRITERS * ROUNDS * 100, words[0] + words[PAGE / 4]);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQUAL(ROUNDS, words[i + 1]);
}

// Each process writes into memory that others map and leaves it in some way, at any moment.
TEST(killed_while_sharing) {
    uint32_t seed = 61;
    struct memstat before = start_counting();
    file_make_pattern("file", PAGES * PAGE);
    int fd = open("file", O_RDWR);
    for (int round = 0; round < 25; round++) {
        shared = map_shared();
        pid_t pid = TEST_FORK();
        while (pid == 0) {
            char *file = map_file(fd, 0, PAGES * PAGE, RW, MAP_SHARED), *more = map_shared();
            memset(file, 1, 3 * PAGE);
            memset(more, 1, 3 * PAGE);
            memset(shared, 1, PAGES * PAGE);
            if (fork() == 0)
                exit(more[0] + file[0] - 2);
            wait(NULL);
            unmap_pages(file, PAGES);
            unmap_pages(more, PAGES);
        }
        shared[0] = 2;
        delay(random_next(&seed) % 300000);
        CHECK_EQUAL(0, kill(pid));
        CHECK_CHILD(TEST_STATUS_KILLED);
        unmap_pages(shared, PAGES);
    }
    test_own_pages();
    CHECK_EQUAL(before.frames_free, test_settle(before.frames_free));
}
