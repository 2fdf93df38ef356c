// Rounds in a directory with `size` entries, and with a file of `size` KiB.
#include "scale.h"

enum { CALLS = 20, PATH_ROOM = 32, END_PAGES = 8 };

// ---- A directory ----

static const char directory[] = "/scale.d";

static const char *path_of(int i) {
    static char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%d", directory, i);
    return path;
}

// Makes a directory with that many entries, which are names of one file.
static void fill(int size) {
    char first[PATH_ROOM];
    must(mkdir(directory));
    strcpy(first, path_of(0));
    close(must(open(first, O_CREATE | O_RDWR)));
    for (int i = 1; i < size; i++)
        must(link(first, path_of(i)));
}

static void empty(int size) {
    for (int i = 0; i < size; i++)
        must(unlink(path_of(i)));
    must(unlink(directory));
}

uint64_t lookup_round(int size) {
    fill(size);
    close(must(open(path_of(size - 1), O_RDONLY)));
    work_begin();
    for (int i = 0; i < CALLS; i++)
        close(must(open(path_of(size - 1), O_RDONLY)));
    uint64_t count = work_end();
    empty(size);
    return count;
}

// Makes and removes a file.
uint64_t create_round(int size) {
    fill(size);
    work_begin();
    for (int i = 0; i < CALLS; i++) {
        close(must(open(path_of(size), O_CREATE | O_RDWR)));
        must(unlink(path_of(size)));
    }
    uint64_t count = work_end();
    empty(size);
    return count;
}

unsigned calls_units(int size) {
    (void)size;
    return CALLS;
}

// Makes a directory with so many entries, reads it, and removes all.
uint64_t entries_round(int size) {
    work_begin();
    fill(size);
    int fd = must(open(directory, O_RDONLY));
    while (must(read(fd, buffer, PAGE_BYTES)) > 0)
        continue;
    close(fd);
    empty(size);
    return work_end();
}

// ---- A file ----

static const char file[] = "/scale.f";

static void make(int kib) {
    int fd = must(open(file, O_CREATE | O_WRONLY));
    for (int left = kib; left > 0;) {
        int bytes = (left < 64 ? left : 64) * KIB;
        must(write(fd, buffer, bytes) == bytes ? 0 : -1);
        left -= bytes / KIB;
    }
    close(fd);
}

// Makes and removes it.
uint64_t write_round(int size) {
    work_begin();
    make(size);
    must(unlink(file));
    return work_end();
}

uint64_t read_round(int size) {
    make(size);
    int fd = must(open(file, O_RDONLY));
    work_begin();
    while (must(read(fd, buffer, sizeof buffer)) > 0)
        continue;
    uint64_t count = work_end();
    close(fd);
    must(unlink(file));
    return count;
}

// Reads and rewrites pages at the end of the file, through a mapping.
uint64_t end_round(int size) {
    make(size);
    int fd = must(open(file, O_RDWR));
    long offset = (long)size * KIB - END_PAGES * PAGE_BYTES;
    work_begin();
    char *pages =
        mmap(NULL, END_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    must(pages == MAP_FAILED ? -1 : 0);
    pages_write(pages, END_PAGES);
    must(munmap(pages, END_PAGES * PAGE_BYTES));
    uint64_t count = work_end();
    close(fd);
    must(unlink(file));
    return count;
}

unsigned end_units(int size) {
    (void)size;
    return END_PAGES;
}
