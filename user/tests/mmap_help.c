// Help for the tests of mmap: see the header.
#include "mmap.h"

char *map_fixed(char *at, size_t page_count, int protection, int flags) {
    char *start =
        mmap(at, page_count * PAGE_BYTES, protection, flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    if (start != at)
        FAIL("expected to map %zu pages at %p, saw %p: %s", page_count, at, start, strerror(errno));
    return start;
}

char *map_filled(char *at, size_t page_count, int byte) {
    return memset(map_fixed(at, page_count, RW, MAP_PRIVATE), byte, page_count * PAGE_BYTES);
}

bool protection_allows(int protection, enum touch how) {
    static const int needs[] = {
        [TOUCH_LOAD] = RW, [TOUCH_STORE] = PROT_WRITE, [TOUCH_JUMP] = PROT_EXEC};
    return protection & needs[how];
}

struct memstat start_counting(void) {
    test_own_pages();
    return test_memstat();
}

void check_all_back(const struct memstat *before) {
    test_own_pages();
    struct memstat now = test_memstat();
    CHECK_EQUAL(before->frames_free, now.frames_free);
    CHECK_EQUAL(before->frames_promised, now.frames_promised);
}

int map_all_regions(void) {
    int count = 0;
    for (char *at = FREE_PLACE; mmap(at, 3 * PAGE_BYTES, RW, PRIVATE, -1, 0) == at;
         at += 8 * PAGE_BYTES)
        memset(at, ++count, 3 * PAGE_BYTES);
    CHECK_EQUAL(ENOMEM, errno);
    CHECK(count > REGIONS / 2 && count < REGIONS);
    return count;
}

void check_regions(int count) {
    for (int i = 0; i < count; i++)
        CHECK_BYTES(FREE_PLACE + 8 * i * PAGE_BYTES, i + 1, 3 * PAGE_BYTES);
}

int pattern_open(const char *name, size_t size, int flags) {
    file_make_pattern(name, size);
    int fd = open(name, flags);
    CHECK(fd >= 0);
    return fd;
}

char *map_new_pattern(const char *name, size_t size, int protection, int flags) {
    int fd = pattern_open(name, size, O_RDWR);
    char *start = map_file(fd, 0, size, protection, flags);
    CHECK_EQUAL(0, close(fd));
    return start;
}

uint8_t file_byte(const char *name, size_t place) {
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    for (; place >= sizeof buffer; place -= sizeof buffer)
        read_fully(fd, buffer, sizeof buffer);
    read_fully(fd, buffer, place + 1);
    CHECK_EQUAL(0, close(fd));
    return (uint8_t)buffer[place];
}
