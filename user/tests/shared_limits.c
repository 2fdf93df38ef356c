// Shared memory and the limits: it is reserved once, and the number of objects is limited.
#define TEST_FAMILY "shared"
#include "test.h"

#include "shared.h"

static char *shared;

// Reserved once, however many processes map it, and each first touch uses one reserved frame,
// whichever process makes it.
TEST(shared_memory_is_reserved_once) {
    struct memstat before = start_counting();
    shared = map_shared();
    CHECK_EQUAL(before.frames_promised + SHARED_PAGES, test_memstat().frames_promised);
    struct companion child = companion_start(NULL, NULL);
    CHECK_EQUAL(before.frames_promised + SHARED_PAGES, test_memstat().frames_promised);
    companion_end(&child);
    CHECK_EQUAL(before.frames_promised + SHARED_PAGES, test_memstat().frames_promised);
    IN_CHILD shared[0] = 1;
    CHECK_CHILD(0);
    CHECK_EQUAL(before.frames_promised + SHARED_PAGES - 1, test_memstat().frames_promised);
    shared[0] = 1;
    shared[PAGE_BYTES] = 1;
    CHECK_EQUAL(before.frames_promised + SHARED_PAGES - 2, test_memstat().frames_promised);
    unmap_pages(shared, SHARED_PAGES);
    check_all_back(&before);
}

// The child may touch what the parent has reserved, though nothing else is left.
TEST(child_may_touch_reserved_pages) {
    shared = map_shared();
    shared[0] = 1;
    IN_CHILD {
        memory_reserve_all();
        memset(shared, 2, SHARED_PAGES * PAGE_BYTES);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(shared, 2, SHARED_PAGES * PAGE_BYTES);
}

enum { OBJECT_PROCESSES = 12, OBJECTS_EACH = 20 };

// Makes shared objects until it has enough or is refused one, reports how many, and checks them at
// the end.
static void hold_objects(int process, const int *go, int ready) {
    static char *starts[OBJECTS_EACH];
    char byte, count = 0;
    CHECK_EQUAL(0, close(go[1]));
    for (; count < OBJECTS_EACH; count++) {
        char *start = mmap(NULL, PAGE_BYTES, RW, SHARED, -1, 0);
        if (start == MAP_FAILED)
            break;
        *start = (char)(process + count);
        starts[(int)count] = start;
    }
    if (count < OBJECTS_EACH)
        CHECK_EQUAL(ENOMEM, errno);
    write_fully(ready, &count, 1);
    CHECK_EQUAL(0, read(go[0], &byte, 1));
    for (int i = 0; i < count; i++)
        CHECK_EQUAL((char)(process + i), *starts[i]);
}

// There is a limit to the shared objects of all processes; reaching it harms no process.
TEST(shared_objects_are_limited) {
    struct memstat before = start_counting();
    int go[2], ready[2], failures = 0;
    CHECK_EQUAL(0, pipe(go));
    CHECK_EQUAL(0, pipe(ready));
    for (int i = 0; i < OBJECT_PROCESSES; i++)
        IN_CHILD hold_objects(i, go, ready[1]);
    CHECK_EQUAL(0, close(ready[1])); // a child that fails says nothing, and must not be waited for
    for (int i = 0; i < OBJECT_PROCESSES; i++) {
        char count;
        read_fully(ready[0], &count, 1);
        failures += count < OBJECTS_EACH;
    }
    CHECK(failures > 0);
    CHECK_FAILS((long)mmap(NULL, PAGE_BYTES, RW, SHARED, -1, 0), ENOMEM);
    *map_pages(1, RW, MAP_PRIVATE) = 1;
    CHECK_EQUAL(0, close(go[1]));
    CHECK_CHILDREN(OBJECT_PROCESSES);
    CHECK_EQUAL(0, close(go[0]) + close(ready[0]));
    unmap_pages((char *)USER_TOP - PAGE_BYTES, 1);
    for (int i = 0; i < 300; i++)
        unmap_pages(map_shared(), SHARED_PAGES);
    check_all_back(&before);
}
