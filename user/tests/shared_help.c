// Help for the tests of shared memory: see the header.
#include "shared.h"

char *map_shared(void) {
    return map_pages(SHARED_PAGES, RW, MAP_SHARED);
}

struct pageinfo page_of(pid_t pid, const void *p) {
    struct pageinfo info;
    CHECK_EQUAL(1, pagemap(pid, (uintptr_t)p / PAGE_BYTES * PAGE_BYTES, &info, 1));
    return info;
}

void fill_with_threes(char *memory) {
    memset(memory, 3, SHARED_PAGES * PAGE_BYTES);
}

struct companion companion_start(void (*work)(char *memory), char *memory) {
    int go[2], ready[2];
    char byte;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(ready));
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        CHECK_EQUAL(0, close(go[1]));
        if (work != NULL)
            work(memory);
        write_fully(ready[1], "", 1);
        exit(read(go[0], &byte, 1));
    }
    CHECK_EQUAL(0, close(go[0]));
    CHECK_EQUAL(0, close(ready[1]));
    read_fully(ready[0], &byte, 1);
    return (struct companion){pid, go[1], ready[0]};
}

void companion_end(struct companion *c) {
    CHECK_EQUAL(0, close(c->go));
    CHECK_EQUAL(0, close(c->ready));
    CHECK_CHILD(0);
}
