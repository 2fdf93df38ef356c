// What `cowtest --exercise` and `cowtest --keep` do. The first is for runs in which allocations
// fail: it makes, shares and lends memory once in each possible way, in a process of its own, which
// may fail or be killed; nothing may be lost. The second leaves files that the disk must hold when
// the machine is off.
#include "cowtest.h"

#include "cow6.h"

enum { PAGES = 3, BYTES = PAGES * PAGE_BYTES, RW = PROT_READ | PROT_WRITE };

#define TWO_TABLES ((void *)(0x1000200000 - PAGE_BYTES)) // pages here are in two leaf tables
#define FILE_NAME "/exercise.tmp"

static void vfork_and_exec(void) {
    if (vfork() == 0) {
        exec("/true", (char *[]){"true", NULL});
        exit(1);
    }
}

static void vfork_and_write(void) {
    static char *volatile heap;
    if (vfork() == 0) {
        heap = sbrk(BYTES);
        if (heap != (char *)-1)
            memset(heap, 1, BYTES);
        if (fork() == 0)
            exit(0);
        exit(0);
    }
}

static void nest_vforks(void) {
    if (vfork() == 0) {
        vfork_and_exec();
        exec("/true", (char *[]){"true", NULL});
        exit(1);
    }
}

static void map_private(void) {
    char *start = mmap(TWO_TABLES, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return;
    memset(start, 1, BYTES);
    if (fork() == 0)
        exit(start[0]++);
    char *again = mmap(start, PAGE_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (again != MAP_FAILED)
        again[0] = 1;
    munmap(start + PAGE_BYTES, PAGE_BYTES);
}

static void map_shared(void) {
    char *start = mmap(TWO_TABLES, BYTES, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return;
    start[0] = 1;
    if (fork() == 0)
        memset(start, 2, BYTES);
    start[PAGE_BYTES] = 1;
    munmap(start + PAGE_BYTES, PAGE_BYTES);
}

static void map_file(int flags) {
    int fd = open(FILE_NAME, O_RDWR);
    char *start = mmap(TWO_TABLES, BYTES, RW, flags, fd, 0);
    if (start == MAP_FAILED)
        return;
    start[0]++;
    if (fork() == 0)
        start[PAGE_BYTES]++;
    munmap(start, PAGE_BYTES);
}

static void map_file_private(void) {
    map_file(MAP_PRIVATE);
}

static void map_file_shared(void) {
    map_file(MAP_SHARED);
}

static void fork_and_exec(void) {
    if (fork() == 0)
        exec("/true", (char *[]){"true", NULL});
}

// Waits until no child is left.
static void wait_for_all(void) {
    while (wait(NULL) >= 0)
        ;
}

// Counts the frames that only the caller has (its unshared pages and its page tables; all pages are
// in one leaf table) and those that are reserved for it (memory that it has not touched).
static void count_own(uint64_t *frames, uint64_t *reservations) {
    enum { TABLES = 3 };
    static struct pageinfo pages[TABLE_PAGES];
    memset(pages, 0, sizeof pages); // so that it has its frames from now on
    *frames = TABLES;
    *reservations = 0;
    int n = pagemap(getpid(), 0, pages, TABLE_PAGES);
    for (int i = 0; i < n; i++) {
        *frames += pages[i].sharers == 1;
        *reservations += (pages[i].flags & (PAGE_PRESENT | PAGE_WRITE | PAGE_FILE)) == PAGE_WRITE;
    }
}

int exercise_run(void) {
    static void (*const deeds[])(void) = {vfork_and_exec,  vfork_and_write, nest_vforks,
                                          map_private,     map_shared,      map_file_private,
                                          map_file_shared, fork_and_exec};
    static char bytes[BYTES - 100];
    struct memstat stat = {0};
    int fd = open(FILE_NAME, O_CREATE | O_RDWR);
    bool is_written = write(fd, bytes, sizeof bytes) == sizeof bytes;
    close(fd);
    for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
        if (fork() == 0) {
            deeds[i]();
            wait_for_all();
            exit(0);
        }
        wait_for_all();
    }
    bool is_lost = unlink(FILE_NAME) < 0 && is_written;
    uint64_t frames, reservations;
    count_own(&frames, &reservations);
    if (memstat(&stat, MEMSTAT_CHECK) < 0)
        return 1;
    long lost_frames = (long)(stat.frames_total - stat.frames_free - frames);
    long lost_reservations = (long)(stat.frames_promised - reservations);
    if (is_lost)
        printf("lost: %s\n", FILE_NAME);
    if (stat.violations > 0)
        printf("lost: %lu invariants\n", (unsigned long)stat.violations);
    if (lost_frames != 0)
        printf("lost: %ld frames\n", lost_frames);
    if (lost_reservations != 0)
        printf("lost: %ld reservations\n", lost_reservations);
    printf("exercise: done\n");
    return is_lost || stat.violations > 0 || lost_frames != 0 || lost_reservations != 0;
}

// Byte number i of the file that ends in that way.
static char kept_byte(int way, int i) {
    return (char)(i * 7 + i / 256 + way);
}

// Makes a file of zeroes, fills it through a shared mapping and ends in one of four ways.
static void keep_file(int way) {
    enum { SIZE = 2 * PAGE_BYTES + 100 };
    static const char zeroes[SIZE];
    char name[] = "/kept.0";
    name[6] = (char)('0' + way);
    int fd = open(name, O_CREATE | O_RDWR);
    if (write(fd, zeroes, SIZE) != SIZE)
        return;
    char *start = mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0);
    if (start == MAP_FAILED)
        return;
    for (int i = 0; i < SIZE; i++)
        start[i] = kept_byte(way, i);
    start[SIZE] = 1; // past the end
    if (way == 1)
        munmap(start, SIZE);
    if (way == 2)
        exec("/true", (char *[]){"true", NULL});
    if (way == 3)
        kill(getpid());
}

int keep_run(void) {
    for (int way = 0; way < 4; way++) {
        if (fork() == 0) {
            keep_file(way);
            exit(0);
        }
        wait_for_all();
    }
    return 0;
}
