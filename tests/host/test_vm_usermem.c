// The kernel's access to user memory.
#include "vm_help.h"

#include <string.h>

TEST(copies_cross_pages) {
    struct addrspace *as = zero_space(2);
    char out[100], in[100];
    for (int i = 0; i < 100; i++)
        out[i] = (char)(i * 3);
    CHECK_EQUAL(0, user_copy_out(as, ZERO + PAGE - 37, out, sizeof out));
    CHECK_EQUAL(0, user_copy_in(as, in, ZERO + PAGE - 37, sizeof in));
    CHECK(memcmp(in, out, sizeof in) == 0);
    for (vaddr_t i = 0; i < 100; i++)
        CHECK_EQUAL((uint8_t)out[i], LOAD(as, ZERO + PAGE - 37 + i));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE - 38));
    CHECK_EQUAL(0, LOAD(as, ZERO + PAGE + 63));
    CHECK_EQUAL(0, user_copy_out(as, ~0ul, out, 0));
    CHECK_EQUAL(0, user_copy_in(as, in, ~0ul, 0));
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(copies_are_all_or_nothing) {
    struct addrspace *as = zero_space(1);
    char in[8] = "before";
    vaddr_t wrong[] = {ZERO + PAGE - 4, ZERO - 4, ZERO + PAGE,      0, USER_END - 4, USER_END,
                       KERNEL_START,    ~0ul - 3, (vaddr_t)host_ram};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CHECK_EQUAL(-EFAULT, user_copy_out(as, wrong[i], "xxxxxxxx", 8));
        CHECK_EQUAL(-EFAULT, user_copy_in(as, in, wrong[i], 8));
    }
    for (vaddr_t i = PAGE - 4; i < PAGE; i++)
        CHECK_EQUAL(0, LOAD(as, ZERO + i));
    CHECK_STRING("before", in);
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(spans_cover_what_can_be_resolved) {
    struct addrspace *as = zero_space(20);
    struct spans s;
    CHECK_EQUAL(0, user_spans(as, ZERO + 18 * PAGE + 5, 10 * PAGE, ACCESS_READ, &s));
    CHECK(s.count == 2 && s.size == 2 * PAGE - 5 && s.span[0].size == PAGE - 5 &&
          s.span[1].size == PAGE);
    CHECK_EQUAL(0, user_spans(as, ZERO + 1, ~0ul, ACCESS_WRITE, &s));
    CHECK(s.count == SPANS_MAX && s.size == SPANS_MAX * PAGE - 1);
    CHECK_EQUAL(0, user_spans(as, ZERO + 1, 2, ACCESS_WRITE, &s));
    CHECK(s.count == 1 && s.size == 2);
    CHECK_EQUAL(-EFAULT, user_spans(as, ZERO + 20 * PAGE, 1, ACCESS_READ, &s));
    CHECK_EQUAL(-EFAULT, user_spans(as, ~0ul - 1, ~0ul, ACCESS_READ, &s));
    CHECK_EQUAL(0, user_spans(as, ~0ul, 0, ACCESS_READ, &s));
    CHECK(s.count == 0 && s.size == 0);
    CHECK_SOUND();
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(strings_must_end_within_the_limit) {
    struct addrspace *as = zero_space(2);
    char text[16];
    CHECK_EQUAL(0, user_copy_out(as, ZERO + PAGE - 3, "across", 7));
    CHECK_EQUAL(6, user_copy_string(as, text, ZERO + PAGE - 3, sizeof text));
    CHECK_STRING("across", text);
    CHECK_EQUAL(6, user_copy_string(as, text, ZERO + PAGE - 3, 7));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO + PAGE - 3, 6));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO + PAGE - 3, 2));
    CHECK_EQUAL(-ENAMETOOLONG, user_copy_string(as, text, ZERO, 0));
    CHECK_EQUAL(0, user_copy_string(as, text, ZERO, 1));
    CHECK_EQUAL(0, user_copy_out(as, ZERO + 2 * PAGE - 2, "xy", 2)); // no end before the region's
    CHECK_EQUAL(-EFAULT, user_copy_string(as, text, ZERO + 2 * PAGE - 2, sizeof text));
    CHECK_EQUAL(-EFAULT, user_copy_string(as, text, ~0ul, sizeof text));
    space_end(as);
    CHECK_ALL_BACK();
}

TEST(user_page_with_a_lock_held_panics) {
    static struct spinlock lock = SPINLOCK(RANK_CONSOLE);
    struct addrspace *as = zero_space(1);
    void *page;
    STORE(as, ZERO, 1);
    CHECK_EQUAL(0, user_page(as, ZERO, ACCESS_READ, &page));
    rank_take(RANK_INODE); // nor with one that sleeps: the fault may need it
    CHECK_PANICS(user_page(as, ZERO, ACCESS_READ, &page));
    rank_drop(RANK_INODE);
    spin_lock(&lock);
    CHECK_PANICS(user_page(as, ZERO, ACCESS_READ, &page)); // present or not
    CHECK_PANICS(vm_fault(as, ZERO, ACCESS_READ));
}
