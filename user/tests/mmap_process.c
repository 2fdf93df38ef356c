// Mappings in the life of a process: fork, exec, exit, and what procinfo and pagemap say.
#define TEST_FAMILY "mmap"
#include "test.h"

#include "mmap.h"

TEST(fork_separates_private_mappings) {
    char *start = map_filled(FREE_PLACE, 4, 1);
    char *untouched = map_pages(2, RW, MAP_PRIVATE);
    IN_CHILD {
        CHECK_BYTES(start, 1, 4 * PAGE_BYTES);
        memset(start, 2, 2 * PAGE_BYTES);
        memset(untouched, 2, PAGE_BYTES);
        unmap_pages(start + 3 * PAGE_BYTES, 1);
        IN_CHILD {
            CHECK_BYTES(start, 2, 2 * PAGE_BYTES);
            memset(start, 3, 3 * PAGE_BYTES);
            CHECK_EQUAL(0, flags_at(start + 3 * PAGE_BYTES) & PAGE_REGION);
        }
        CHECK_CHILD(0);
        CHECK_BYTES(start, 2, 2 * PAGE_BYTES);
        CHECK_BYTES(start + 2 * PAGE_BYTES, 1, PAGE_BYTES);
        CHECK_BYTES(untouched + PAGE_BYTES, 0, PAGE_BYTES);
    }
    CHECK_CHILD(0);
    CHECK_BYTES(start, 1, 4 * PAGE_BYTES);
    CHECK_BYTES(untouched, 0, 2 * PAGE_BYTES);
}

// exec leaves nothing of what the process had mapped.
TEST(exec_leaves_no_mappings) {
    struct procinfo info[2];
    for (int mapped = 0; mapped < 2; mapped++) {
        if (mapped)
            memset(map_pages(50, RW, MAP_SHARED), 1, 50 * PAGE_BYTES);
        if (mapped)
            map_filled(FREE_PLACE, 50, 1);
        struct helper helper = helper_start((char *[]){"+text_sum", NULL});
        uint64_t sum;
        read_fully(helper.from, &sum, 1);
        wait_until_waits(helper.pid, WAITS_FOR_PIPE);
        CHECK_EQUAL(helper.pid, procinfo(helper.pid, &info[mapped]));
        write_fully(helper.to, "", 1);
        read_fully(helper.from, &sum, sizeof sum);
        helper_finish(&helper, 0);
    }
    CHECK_EQUAL(info[0].pages_region, info[1].pages_region);
    CHECK_EQUAL(info[0].pages_resident, info[1].pages_resident);
}

TEST(exit_and_kill_free_mappings) {
    struct memstat before = start_counting();
    for (int round = 0; round < 20; round++) {
        pid_t pid = TEST_FORK();
        if (pid == 0) {
            map_filled(FREE_PLACE, 20, 1);
            memset(map_pages(20, RW, MAP_SHARED), 1, 10 * PAGE_BYTES);
            if (round % 2 == 0)
                kill(getpid());
            exit(0);
        }
        CHECK_CHILD(round % 2 == 0 ? TEST_STATUS_KILLED : 0);
        check_all_back(&before);
    }
}

TEST(procinfo_counts_mappings) {
    struct procinfo before, now;
    char *start = map_pages(10, RW, MAP_PRIVATE);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &before));
    char *more = map_pages(7, RW, MAP_SHARED);
    memset(start, 1, 3 * PAGE_BYTES);
    memset(more, 1, 2 * PAGE_BYTES);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &now));
    CHECK_EQUAL(before.pages_region + 7, now.pages_region);
    CHECK_EQUAL(before.pages_resident + 5, now.pages_resident);
    CHECK_EQUAL(before.heap_end, now.heap_end);
    unmap_pages(start, 10);
    unmap_pages(more, 7);
    CHECK_EQUAL(getpid(), procinfo(getpid(), &now));
    CHECK_EQUAL(before.pages_region - 10, now.pages_region);
    CHECK_EQUAL(before.pages_resident, now.pages_resident);
}

// Where there is no region, pagemap names the page at which the next one starts.
TEST(pagemap_names_the_next_region) {
    map_fixed(FREE_PLACE + 3 * PAGE_BYTES, 2, PROT_READ, MAP_PRIVATE);
    struct pageinfo pages[6];
    CHECK_EQUAL(6, pagemap(getpid(), (uintptr_t)FREE_PLACE, pages, 6));
    for (int i = 0; i < 6; i++) {
        CHECK_EQUAL(i == 3 || i == 4 ? PAGE_REGION | PAGE_READ : 0, pages[i].flags);
        CHECK_EQUAL(i < 3 ? (uintptr_t)FREE_PLACE / PAGE_BYTES + 3 : 0, pages[i].frame);
        CHECK_EQUAL(0, pages[i].sharers);
    }
    CHECK_EQUAL(TEXT_START / PAGE_BYTES, test_page(NULL).frame);
    uint64_t seen = 0;
    for (uintptr_t va = 0; seen < 1000; seen++) { // this is how cowmap skips holes
        struct pageinfo page = test_page((void *)va);
        if (page.flags == 0 && page.frame == 0)
            break;
        va = page.flags == 0 ? page.frame * PAGE_BYTES : va + PAGE_BYTES;
    }
    CHECK(seen > 10 && seen < 1000);
}
