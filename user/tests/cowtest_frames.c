// Sharing at its limits: more entries than a byte can count, frames in all of memory, and every
// right that a page has.
#include "cowtest.h"

#include "cow6.h"

enum {
    MAPPINGS = 20, // of one page of a file, in each process
    CHILDREN = 20,
    STEP = 64,             // pages between two that a child writes
    SPARE_FRAMES = 200,    // for the child's tables and all else
    FRAMES_MAX = 256 << 8, // of a machine in which all frames are tried: 256 MiB
    CODE_BYTES = 8,
};

#define NOT_THE_CACHES \
    "a page of a file is not the block cache's frame, copy-on-write in each entry: does " \
    "frame_mapped_cache_count count correctly (if too many are mapped, file_get_page copies), " \
    "and does first_rights set the copy-on-write bit for a frame that has other owners?"

// Many entries map one frame of the block cache: each process maps it several times.
TEST(more_than_255_entries_name_one_frame) {
    int fd = open(PROGRAM, O_RDONLY);
    struct gate gate;
    gate_init(&gate);
    char *page = NULL;
    for (int i = 0; i < MAPPINGS; i++) {
        page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        CHECK(page != MAP_FAILED, "a file cannot be mapped");
        CHECK_EQUAL(0x7f, page[0], "a mapped page is not what the file has");
    }
    CHECK_EQUAL(PAGE_MARKED, test_page(page).flags & (PAGE_OWN | PAGE_MARKED), NOT_THE_CACHES);
    CHECK(test_page(page).sharers > MAPPINGS, NOT_THE_CACHES);
    unsigned before = test_page(page).sharers;
    for (int i = 0; i < CHILDREN; i++) {
        IN_CHILD {
            gate_wait(&gate);
            CHECK_EQUAL(0x7f, page[0], AS_FORKED);
            page[0] = 1;
        }
    }
    CHECK_EQUAL(before + MAPPINGS * CHILDREN, test_page(page).sharers,
                "a frame's count is wrong when hundreds of entries map it: is it wide enough?");
    gate_open(&gate);
    CHECK_CHILDREN(CHILDREN);
    CHECK_EQUAL(0x7f, page[0], TO_PARENT);
    CHECK_EQUAL(before, test_page(page).sharers,
                "after the children have ended the frame's count is not what it was: is it wide "
                "enough for hundreds of entries?");
}

// Nearly all frames are shared, and a child writes to some of them, all over memory.
TEST(nearly_all_frames_can_be_shared) {
    size_t available = frames_available(), spare = SPARE_FRAMES + available / STEP;
    if (test_memstat().frames_total > FRAMES_MAX)
        return; // it would take too long
    CHECK(available > spare, "memory is nearly full: have earlier tests lost frames?");
    size_t n = available - spare;
    char *pages = heap_grow(n);
    for (size_t i = 0; i < n; i++)
        *(volatile size_t *)(pages + i * PAGE_BYTES) = i;
    IN_CHILD {
        for (size_t i = 0; i < n; i += STEP)
            *(volatile size_t *)(pages + i * PAGE_BYTES) = n;
        for (size_t i = 0; i < n; i++) {
            size_t seen = *(volatile size_t *)(pages + i * PAGE_BYTES);
            CHECK_EQUAL(i % STEP == 0 ? n : i, seen, OWN_WRITE);
        }
    }
    CHECK_CHILD(0);
    for (size_t i = 0; i < n; i++)
        CHECK_EQUAL(i, *(volatile size_t *)(pages + i * PAGE_BYTES),
                    "the parent sees what its child wrote to some page of a large memory: is every "
                    "frame counted, including the last one?");
}

static int run_code(const char *page) {
    __asm__ volatile("fence.i" ::: "memory");
    return ((int (*)(void))(uintptr_t)page)();
}

// A page that may be written and executed can still be executed after it was copied, and by its
// last owner.
TEST(copied_page_can_be_executed) {
    static const uint32_t code[CODE_BYTES / 4] = {0x00700513, 0x00008067}; // li a0, 7; ret
    char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED, "a page that may be written and executed cannot be mapped");
    memcpy(page, code, sizeof code);
    CHECK_EQUAL(7, run_code(page), "code that a program has written does not run");
    IN_CHILD {
        CHECK_EQUAL(
            7, run_code(page),
            "code on a page that fork shared does not run: fork must clear W and no other right");
        page[PAGE_BYTES - 1] = 1;
        CHECK_EQUAL(7, run_code(page), "code on a page that was copied does not run as before");
    }
    CHECK_CHILD(
        0, "code on a page that fork shared, or that was copied after a write, cannot be executed: "
           "the entry must keep all rights of its region (r->protection), including execute");
    TEST_DEATH_MEANS(
        "the last owner cannot execute its page after its write: the entry must keep all rights of "
        "its region (r->protection) [expected it to live, saw it killed]");
    page[PAGE_BYTES - 1] = 2;
    CHECK_EQUAL(7, run_code(page), "code on a page of the last owner does not run as before");
}
