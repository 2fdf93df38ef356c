// The kernel as the writer: a system call that stores into a shared page must break the sharing as
// a store of the caller's would, and only in the caller.
#include "cowtest.h"

#include "cow6.h"

enum {
    FILL = 0x5a,   // every byte of a page before the call
    OFFSET = 1024, // where in the page the call stores
    READ_BYTES = 64,
};

// A system call that stores at `to`, and what it needs first.
struct kernel_write {
    void (*prepare)(void);
    void (*call)(char *to);
    size_t size; // bytes stored at most
};

static int source = -1;
static char expected[READ_BYTES];

// Two pages of data. A test writes to the first one; nothing touches the second one before the
// kernel writes to it.
enum { SECOND = PAGE_BYTES / sizeof(int), STORED = SECOND + OFFSET / sizeof(int), FILE_HAS = 3 };
static volatile int data_page[2 * PAGE_BYTES / sizeof(int)]
    __attribute__((aligned(PAGE_BYTES))) = {1, 2, [SECOND] = 4, [STORED] = FILE_HAS};

static void prepare_file(void) {
    source = open(PROGRAM, O_RDONLY);
    CHECK(source >= 0, "a program's file does not open");
    CHECK_EQUAL(READ_BYTES, read(source, expected, READ_BYTES), READ_FAILS);
    close(source);
    source = open(PROGRAM, O_RDONLY);
}

static void call_read(char *to) {
    CHECK_EQUAL(READ_BYTES, read(source, to, READ_BYTES), READ_FAILS);
    CHECK(memcmp(to, expected, READ_BYTES) == 0, READ_WRONG);
}

static void prepare_pipe(void) {
    int fds[2];
    pipe_open(fds);
    memset(expected, 0x33, READ_BYTES);
    CHECK_EQUAL(READ_BYTES, write(fds[1], expected, READ_BYTES), PIPE_FAILS);
    source = fds[0];
}

static void call_fstat(char *to) {
    CHECK_EQUAL(0, fstat(source, (struct stat *)to), "fstat() into a shared page fails");
    CHECK_EQUAL(T_FILE, ((struct stat *)to)->type, READ_WRONG);
}

static void prepare_wait(void) {
    struct procinfo info = {0};
    int fds[2];
    char byte;
    pipe_open(fds);
    pid_t pid = TEST_FORK();
    if (pid == 0)
        exit(77);
    close(fds[1]);
    // A process closes its files before it becomes a zombie.
    CHECK_EQUAL(0, read(fds[0], &byte, 1), PIPE_FAILS);
    close(fds[0]);
    while (info.state != PROCESS_ZOMBIE)
        CHECK_EQUAL(pid, procinfo(pid, &info), PROCESS_GONE);
}

static void call_wait(char *to) {
    CHECK(wait((int *)to) > 0, "wait() fails when its status goes to a shared page");
    CHECK_EQUAL(77, *(int *)to, READ_WRONG);
}

static void prepare_nothing(void) {}

static void call_pipe(char *to) {
    int *fds = (int *)to;
    CHECK_EQUAL(0, pipe(fds), "pipe() into a shared page fails");
    CHECK(fds[0] > 2 && fds[1] > 2 && fds[0] != fds[1], READ_WRONG);
    CHECK_EQUAL(0, close(fds[0]), READ_WRONG);
    CHECK_EQUAL(0, close(fds[1]), READ_WRONG);
}

static void call_memstat(char *to) {
    CHECK_EQUAL(0, memstat((struct memstat *)to, 0), "memstat() into a shared page fails");
    CHECK(((struct memstat *)to)->frames_total > 0, READ_WRONG);
}

static void call_pagemap(char *to) {
    CHECK_EQUAL(1, pagemap(getpid(), (uintptr_t)data_page, (struct pageinfo *)to, 1),
                "pagemap() into a shared page fails");
    CHECK(((struct pageinfo *)to)->flags & PAGE_REGION, READ_WRONG);
}

static void call_procinfo(char *to) {
    CHECK_EQUAL(getpid(), procinfo(getpid(), (struct procinfo *)to),
                "procinfo() into a shared page fails");
    CHECK_EQUAL(getpid(), ((struct procinfo *)to)->pid, READ_WRONG);
}

static void check_filled(const char *page) {
    CHECK_BYTES(
        page, FILL, PAGE_BYTES,
        "what a system call stored for one process is in the other's page, or the copy is "
        "incomplete: user_page must break the sharing for the caller, and for this page alone");
}

// Makes the call, which must copy the shared page and store nothing around its result.
static void make_call(const struct kernel_write *w, char *page) {
    w->prepare();
    check_filled(page); // now the TLB has an entry for the shared frame
    test_own_pages();
    struct memstat before = test_memstat();
    w->call(page + OFFSET);
    CHECK_COST(&before, 1, 1, 0);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1);
    CHECK_BYTES(page, FILL, OFFSET, COPY_LACKS);
    CHECK_BYTES(page + OFFSET + w->size, FILL, PAGE_BYTES - OFFSET - w->size, COPY_LACKS);
}

// First the child makes the call, and the parent must see no change; then the other way round.
static void check_kernel_write(const struct kernel_write *w) {
    char *pages = heap_grow(2), *second = pages + PAGE_BYTES;
    struct turns t;
    memset(pages, FILL, 2 * PAGE_BYTES);
    pid_t child = turns_fork(&t);
    if (child == 0) {
        make_call(w, pages);
        turns_pause(&t);
        check_filled(second);
        CHECK_PAGE(getpid(), second, PAGE_MARKED, 1);
        test_exit();
    }
    CHECK(turns_next(&t), DIED);
    check_filled(pages);
    CHECK_PAGE(getpid(), pages, PAGE_MARKED, 1);
    make_call(w, second);
    CHECK_PAGE(child, second, PAGE_MARKED, 1);
    turns_close(&t);
}

TEST(read_from_file_breaks_sharing) {
    static const struct kernel_write w = {prepare_file, call_read, READ_BYTES};
    check_kernel_write(&w);
}

TEST(read_from_pipe_breaks_sharing) {
    static const struct kernel_write w = {prepare_pipe, call_read, READ_BYTES};
    check_kernel_write(&w);
}

TEST(fstat_breaks_sharing) {
    static const struct kernel_write w = {prepare_file, call_fstat, sizeof(struct stat)};
    check_kernel_write(&w);
}

TEST(wait_breaks_sharing) {
    static const struct kernel_write w = {prepare_wait, call_wait, sizeof(int)};
    check_kernel_write(&w);
}

TEST(pipe_breaks_sharing) {
    static const struct kernel_write w = {prepare_nothing, call_pipe, 2 * sizeof(int)};
    check_kernel_write(&w);
}

TEST(reporting_calls_break_sharing) {
    static const struct kernel_write writes[] = {
        {prepare_nothing, call_memstat, sizeof(struct memstat)},
        {prepare_nothing, call_pagemap, sizeof(struct pageinfo)},
        {prepare_nothing, call_procinfo, sizeof(struct procinfo)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
        check_kernel_write(&writes[i]);
}

// One read from an odd address that ends in the third page: all three are copied, and no other
// page.
TEST(read_across_pages) {
    enum { ODD = 1003, SIZE = 2 * PAGE_BYTES };
    char *file = heap_grow(2), *pages = heap_grow(4);
    int fd = open(PROGRAM, O_RDONLY);
    CHECK_EQUAL(SIZE, read(fd, file, SIZE), READ_FAILS);
    memset(pages, FILL, 4 * PAGE_BYTES);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0) {
        fd = open(PROGRAM, O_RDONLY);
        struct memstat before = test_memstat();
        CHECK_EQUAL(SIZE, read(fd, pages + ODD, SIZE), READ_FAILS);
        CHECK_COST(&before, 3, 3, 0);
        CHECK_BYTES(pages, FILL, ODD, COPY_LACKS);
        CHECK(memcmp(pages + ODD, file, SIZE) == 0, READ_WRONG);
        CHECK_BYTES(pages + ODD + SIZE, FILL, 4 * PAGE_BYTES - ODD - SIZE, COPY_LACKS);
        turns_pause(&t);
        test_exit();
    }
    CHECK(turns_next(&t), DIED);
    CHECK_BYTES(pages, FILL, 4 * PAGE_BYTES,
                "what read() stored for the child is in the parent's page: does the kernel break "
                "the sharing of every page that the buffer touches, not only of the first?");
    for (size_t i = 0; i < 4; i++)
        CHECK_PAGE(getpid(), pages + i * PAGE_BYTES, PAGE_MARKED, i < 3 ? 1 : 2);
    turns_close(&t);
}

// When the kernel only reads a shared page, it stays shared.
TEST(write_to_pipe_leaves_page_shared) {
    char *page = heap_grow_filled(1, 1);
    int fds[2];
    pipe_open(fds);
    struct turns t;
    pid_t child = turns_fork(&t);
    if (child == 0)
        test_exit();
    struct memstat before = test_memstat();
    CHECK_EQUAL(512, write(fds[1], page, 512), PIPE_FAILS);
    CHECK_COST(&before, 0, 0, 0);
    CHECK_PAGE(getpid(), page, PAGE_MARKED, 2);
    turns_close(&t);
}

// The heap ends inside the buffer: bytes before that may be stored, but the parent must not see
// them.
TEST(read_past_end_of_heap) {
    enum { ROOM = 100 };
    char *page = heap_grow(1);
    memset(page, FILL, PAGE_BYTES);
    IN_CHILD {
        int fd = open(PROGRAM, O_RDONLY);
        int n = read(fd, page + PAGE_BYTES - ROOM, 2 * PAGE_BYTES);
        CHECK(n == -1 || n == ROOM, "read() into a buffer that goes past the end of the heap must "
                                    "store as much as there is room for, or fail");
        CHECK_BYTES(page, FILL, PAGE_BYTES - ROOM, "read() stored outside its buffer");
    }
    CHECK_CHILD(0);
    check_filled(page);
}

// A page of data comes from the block cache; the first write to it makes a copy as any other does.
TEST(data_is_copied_from_the_cache) {
    CHECK_EQUAL(1, data_page[0], "a program's data is not what its file has");
    struct pageinfo first = test_page((const void *)data_page);
    CHECK(first.flags & PAGE_FILE, "untouched data must come from the program's file");
    CHECK_EQUAL(PAGE_MARKED, first.flags & (PAGE_OWN | PAGE_MARKED),
                "a page of data that is in the block cache must be mapped read-only with the "
                "copy-on-write bit: the first write makes a copy (file_get_page, first_rights)");
    CHECK(first.sharers >= 2, "a page of data that has not been written must be the block cache's "
                              "own frame, which has at least two owners");
    struct memstat before = test_memstat();
    data_page[0] = 3;
    CHECK_COST(&before, 1, 1, 0);
    CHECK(data_page[0] == 3 && data_page[1] == 2, OWN_WRITE);
    CHECK_PAGE(getpid(), (const void *)data_page, PAGE_OWN, 1);
    CHECK(test_page((const void *)data_page).frame != first.frame,
          "a write to data went to the block cache's frame: the program's file changes with it");
}

// What a program that is started now finds in its data.
int data_run(void) {
    return data_page[STORED];
}

// When the kernel writes to a page that is not present, it is brought in and its sharing broken at
// once. A program's store could simply fault a second time, but the kernel's would go to the block
// cache's frame, and so change the file.
TEST(read_into_untouched_data) {
    char *page = (char *)&data_page[SECOND];
    prepare_file();
    CHECK_EQUAL(PAGE_FILE, test_page(page).flags & (PAGE_PRESENT | PAGE_FILE),
                "untouched data is present");
    CHECK_EQUAL(READ_BYTES, read(source, page + OFFSET, READ_BYTES), READ_FAILS);
    CHECK_PAGE(getpid(), page, PAGE_OWN, 1, TO_CACHE);
    IN_CHILD {
        program_execute("--data");
    }
    CHECK_CHILD(FILE_HAS, TO_CACHE);
    CHECK_EQUAL(4, data_page[SECOND], COPY_LACKS);
    CHECK(memcmp(page + OFFSET, expected, READ_BYTES) == 0, READ_WRONG);
}
