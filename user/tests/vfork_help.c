// Help for the vfork tests: see the header.
#include "vfork.h"

volatile int counter;
char *heap;
struct memstat before;

// Who ran, in order.
static char order[16];
static volatile size_t order_length;

void note(char who) {
    order[order_length++] = who;
}

void check_order(const char *expected) {
    CHECK_STRING(expected, order);
}

enum process_state state_of(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return (enum process_state)info.state;
}

pid_t parent_of(pid_t pid) {
    struct procinfo info;
    CHECK_EQUAL(pid, procinfo(pid, &info));
    return info.parent;
}

char *heap_grow_pages(int pages) {
    uintptr_t start = round_to_page(sbrk(0));
    CHECK(sbrk((int)(start - (uintptr_t)sbrk(0)) + pages * PAGE_BYTES) != (char *)-1);
    return (char *)start;
}

void check_heap(void) {
    CHECK_BYTES(heap, PATTERN, HEAP_PAGES * PAGE_BYTES);
}

void vfork_set_up(void) {
    heap = heap_grow_pages(HEAP_PAGES);
    memset(heap, PATTERN, HEAP_PAGES * PAGE_BYTES);
    test_own_pages();
    before = test_memstat();
}

struct helper vfork_start(char **arguments) {
    int to[2], from[2];
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(0, pipe(from));
    pid_t pid = TEST_VFORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(0));
        CHECK_EQUAL(0, dup(to[0]));
        CHECK_EQUAL(0, close(1));
        CHECK_EQUAL(1, dup(from[1]));
        close(to[0]), close(to[1]), close(from[0]), close(from[1]);
        exec(USERTESTS, arguments);
        FAIL("expected exec to work, saw: %s", strerror(errno));
    }
    CHECK_EQUAL(0, close(to[0]));
    CHECK_EQUAL(0, close(from[1]));
    return (struct helper){.pid = pid, .to = to[1], .from = from[0]};
}

void vfork_rounds(int rounds) {
    for (volatile int i = 0; i < rounds; i++) {
        counter = -1;
        pid_t pid = TEST_VFORK();
        if (pid == 0) {
            counter = i;
            if (i % 4 != 0)
                exit(i);
            exec(USERTESTS, (char *[]){"+exit", "3", NULL});
            exit(1);
        }
        CHECK_EQUAL(i, counter);
        int status;
        CHECK_EQUAL(pid, wait(&status));
        CHECK_EQUAL(i % 4 != 0 ? i : 3, status);
    }
}
