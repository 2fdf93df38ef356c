// Files whose contents depend on the position.
#include "support.h"

#include "test.h"

char buffer[16 * PAGE_BYTES];
static char chunk[4 * PAGE_BYTES];

uint8_t pattern_byte(size_t place) {
    return (uint8_t)(place * 131 + (place >> 8) * 7 + (place >> 16));
}

void pattern_fill(void *bytes, size_t place, size_t n) {
    uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++)
        byte[i] = pattern_byte(place + i);
}

void pattern_check(const void *bytes, size_t place, size_t n) {
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < n; i++) {
        if (byte[i] != pattern_byte(place + i))
            FAIL("expected byte %zu to be %d, saw %d", place + i, pattern_byte(place + i), byte[i]);
    }
}

void write_fully(int fd, const void *bytes, size_t n) {
    for (size_t done = 0; done < n;) {
        int moved = write(fd, (const char *)bytes + done, (int)(n - done));
        if (moved <= 0)
            FAIL("expected to write %zu bytes, saw %d after %zu (errno %d)", n, moved, done, errno);
        done += (size_t)moved;
    }
}

void read_fully(int fd, void *bytes, size_t n) {
    for (size_t done = 0; done < n;) {
        int moved = read(fd, (char *)bytes + done, (int)(n - done));
        if (moved <= 0)
            FAIL("expected to read %zu bytes, saw %d after %zu (errno %d)", n, moved, done, errno);
        done += (size_t)moved;
    }
}

void file_make_pattern(const char *name, size_t size) {
    int fd = open(name, O_CREATE | O_TRUNC | O_WRONLY);
    CHECK(fd >= 0);
    for (size_t n, place = 0; place < size; place += n) {
        n = size - place < sizeof chunk ? size - place : sizeof chunk;
        pattern_fill(chunk, place, n);
        write_fully(fd, chunk, n);
    }
    CHECK_EQUAL(0, close(fd));
}

void file_check_pattern(const char *name, size_t size) {
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    for (size_t n, place = 0; place < size; place += n) {
        n = size - place < sizeof chunk ? size - place : sizeof chunk;
        read_fully(fd, chunk, n);
        pattern_check(chunk, place, n);
    }
    CHECK_EQUAL(0, read(fd, chunk, 1));
    CHECK_EQUAL(0, close(fd));
}

void file_make(const char *name, const void *bytes, size_t size) {
    int fd = open(name, O_CREATE | O_TRUNC | O_WRONLY);
    CHECK(fd >= 0);
    write_fully(fd, bytes, size);
    CHECK_EQUAL(0, close(fd));
}

void file_make_empty(const char *name) {
    file_make(name, "", 0);
}

int file_open(const char *name, int flags) {
    int fd = open(name, flags);
    if (fd < 0)
        FAIL("expected to open %s (flags 0x%x), saw errno %d", name, (unsigned)flags, errno);
    return fd;
}

bool file_exists(const char *name) {
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        CHECK_EQUAL(ENOENT, errno);
    else
        CHECK_EQUAL(0, close(fd));
    return fd >= 0;
}

struct stat file_stat(const char *name) {
    struct stat stat;
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQUAL(0, fstat(fd, &stat));
    CHECK_EQUAL(0, close(fd));
    return stat;
}

int directory_count(const char *directory, const char *name, int *inode) {
    struct dirent entry;
    int count = 0, fd = open(directory, O_RDONLY);
    CHECK(fd >= 0);
    while (read(fd, &entry, sizeof entry) == (int)sizeof entry) {
        if (entry.inum == 0 || strncmp(entry.name, name, NAME_BYTES) != 0)
            continue;
        count++;
        *inode = entry.inum;
    }
    CHECK_EQUAL(0, close(fd));
    return count;
}

char *name_with(char *out, const char *name, unsigned number) {
    snprintf(out, NAME_BYTES + 1, "%s%u", name, number);
    return out;
}

int lowest_free_fd(void) {
    int fd = dup(TEST_FD);
    CHECK(fd >= 0);
    CHECK_EQUAL(0, close(fd));
    return fd;
}
