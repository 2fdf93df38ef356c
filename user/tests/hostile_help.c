// Help for the hostile tests: see the header.
#include "hostile.h"

const char constants[PAGE_BYTES] = "constants";
uintptr_t unreadable[UNREADABLE_COUNT];
uintptr_t unwritable[UNWRITABLE_COUNT];
char *edge;
int file, ends[2];

void hostile_set_up(void) {
    char *start = (char *)round_to_page(sbrk(0));
    edge = start + 8 * PAGE_BYTES;
    CHECK(sbrk((int)(edge - sbrk(0))) != (char *)-1);
    memset(start, 'e', 8 * PAGE_BYTES);
    memcpy(unreadable, bad_addresses, sizeof bad_addresses);
    uintptr_t more[] = {(uintptr_t)edge, (uintptr_t)edge + 77, (uintptr_t)edge + 100 * PAGE_BYTES,
                        (uintptr_t)constants, (uintptr_t)&hostile_set_up};
    memcpy(unreadable + BAD_ADDRESS_COUNT, more, 3 * sizeof more[0]);
    memcpy(unwritable, bad_addresses, sizeof bad_addresses);
    memcpy(unwritable + BAD_ADDRESS_COUNT, more, sizeof more);
    file_make_pattern("file", 3 * PAGE_BYTES);
    file = open("file", O_RDWR);
    CHECK(file >= 0);
    CHECK_EQUAL(0, pipe(ends));
    write_fully(ends[1], buffer, 100);
}

void check_unchanged(void) {
    CHECK_EQUAL(ends[1] + 1, lowest_free_fd());
    file_check_pattern("file", 3 * PAGE_BYTES);
    CHECK_EQUAL(100, read(ends[0], buffer, sizeof buffer));
    CHECK_STRING("constants", constants);
}
