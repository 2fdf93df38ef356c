// Compares the ways to make a process: eager fork, copy-on-write fork and vfork, each with and
// without exec. A parent with a heap of a given size in MiB, all of it in use, makes a child, which
// writes to a part of the heap and ends, or becomes /true.
//
// A boot has one kind of fork. So each run keeps its results in a file, and shows beside them what
// a run after a boot with the other kind has kept: `make forkcmp` boots twice. Instructions are
// those of parent and child from the fork to the end of the wait; they are exact if QEMU counts
// them (-icount shift=0) and there is one hart.
#include "forkcmp.h"

const char program_name[] = "forkcmp";

enum { MIB_PAGES = 256, SPARE_PAGES = 64 };

static const char *const kept_paths[] = {[EAGER] = "/forkcmp.eager", [COW] = "/forkcmp.cow"};

struct result table[KINDS][HEAPS][ACTS];

static char *heap; // of the row
static size_t heap_pages;
static bool counting; // instructions
static struct memstat at_start, right_after, at_end;

static uint64_t instret(void) {
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

// Whether the counter counts instructions. Without -icount QEMU returns the host's time.
static bool counts_instructions(void) {
    uint64_t start, end;
    __asm__ volatile("rdinstret %0; nop; nop; nop; nop; rdinstret %1" : "=r"(start), "=r"(end));
    return end - start == 5;
}

static void must(int result) {
    if (result < 0)
        exit(complain("measuring"));
}

static void write_pages(size_t count) {
    for (size_t i = 0; i < count; i++)
        ((volatile char *)heap)[i * PAGE_BYTES]++;
}

// Starts a measurement: first makes the whole heap this process's own and writable again, whatever
// forks there were before.
static void start_measuring(void) {
    write_pages(heap_pages);
    must(memstat(&at_start, 0));
}

static size_t pages_of(int act) {
    return act > 0 ? heap_pages * (size_t)act / 100 : 0;
}

static _Noreturn void run_child(int act) {
    if (act == EXEC)
        exec("/true", (char *[]){"true", NULL});
    write_pages(pages_of(act));
    exit(act == EXEC);
}

static bool wait_well(void) {
    int status;
    return wait(&status) > 0 && status == 0;
}

static uint32_t faults_between(const struct memstat *from, const struct memstat *to) {
    uint64_t faults = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        faults += to->faults[kind] - from->faults[kind];
    return (uint32_t)faults;
}

// How many pages fork itself copied: the frames that processes have taken since the start, less
// those into which page faults have copied a page.
static uint32_t copied_by_fork(void) {
    uint64_t more = right_after.frames_used[FRAME_USER] - at_start.frames_used[FRAME_USER];
    uint64_t faults = right_after.faults[FAULT_COW_COPY] - at_start.faults[FAULT_COW_COPY];
    return (uint32_t)(more - faults);
}

// Looks at memory while a child of vfork exists: the child looks, because the parent sleeps.
static bool look_during_vfork(void) {
    start_measuring();
    int pid = vfork();
    if (pid == 0)
        exit(memstat(&right_after, 0) < 0);
    return pid > 0 && wait_well();
}

// Looks at memory while a child of fork waits for the end of a pipe. Finds out which kind of fork
// it was.
static bool look_during_fork(enum kind *kind) {
    int ends[2];
    struct procinfo child = {0};
    struct pageinfo own, childs;
    static char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
    page[0] = 1;
    must(pipe(ends));
    start_measuring();
    int pid = fork();
    if (pid == 0) {
        close(ends[1]);
        exit(read(ends[0], page, 0) < 0 || read(ends[0], &child, 1) < 0);
    }
    while (pid > 0 && procinfo(pid, &child) == pid && child.state != PROCESS_SLEEPING &&
           child.state != PROCESS_ZOMBIE)
        sleep(0);
    must(memstat(&right_after, 0));
    if (pid > 0 && pagemap(pid, (uintptr_t)page, &childs, 1) == 1 &&
        pagemap(0, (uintptr_t)page, &own, 1) == 1)
        *kind = own.frame == childs.frame ? COW : EAGER;
    close(ends[0]);
    close(ends[1]);
    return pid > 0 && wait_well();
}

// Runs a child from its making to its end.
static bool run_whole(enum kind kind, int act, uint64_t *instructions) {
    start_measuring();
    uint64_t start = instret();
    int pid = kind == VFORK ? vfork() : fork();
    if (pid == 0)
        run_child(act);
    bool well = pid > 0 && wait_well();
    *instructions = instret() - start;
    must(memstat(&at_end, 0));
    *instructions -= at_end.idle_instructions - at_start.idle_instructions;
    return well;
}

// Whether there is enough memory that neither a child nor this process can be killed for lack of a
// frame.
static bool is_enough_memory(enum kind kind, int act) {
    struct memstat m;
    write_pages(heap_pages);
    must(memstat(&m, 0));
    uint64_t copies = 0;
    if (kind == EAGER)
        copies = heap_pages;
    else if (kind == COW)
        copies = pages_of(act);
    return m.frames_free >= m.frames_promised + copies + copies / 512 + SPARE_PAGES;
}

static struct result measure(enum kind kind, int act) {
    uint64_t instructions;
    struct result r = {.state = NO_MEMORY};
    if (!is_enough_memory(kind, act))
        return r;
    if (!(kind == VFORK ? look_during_vfork() : look_during_fork(&kind)))
        return r;
    r.frames = (uint32_t)(at_start.frames_free - right_after.frames_free);
    r.copies = copied_by_fork();
    if (!run_whole(kind, act, &instructions))
        return r;
    r.state = MEASURED;
    r.faults = faults_between(&at_start, &at_end);
    r.copies += (uint32_t)(at_end.faults[FAULT_COW_COPY] - at_start.faults[FAULT_COW_COPY]);
    r.instructions = counting ? instructions : 0;
    return r;
}

// Measures the rows of one heap size, for this boot's fork and for vfork.
static void measure_heap(size_t row, enum kind fork_kind) {
    const enum kind kinds[] = {fork_kind, VFORK};
    size_t bytes = heap_sizes[row] * (size_t)MIB_PAGES * PAGE_BYTES;
    heap = sbrk((int)bytes);
    bool has_heap = heap != (char *)-1;
    heap_pages = has_heap ? bytes / PAGE_BYTES : 0;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t act = 0; act < ACTS; act++)
            table[kinds[k]][row][act] =
                has_heap ? measure(kinds[k], acts[act]) : (struct result){.state = NO_MEMORY};
    if (has_heap)
        sbrk(-(int)bytes);
}

static void keep(enum kind kind) {
    int fd = open(kept_paths[kind], O_CREATE | O_TRUNC | O_WRONLY);
    if (fd < 0 || write_all(fd, table[kind], sizeof table[kind]) < 0)
        complain(kept_paths[kind]);
    if (fd >= 0)
        close(fd);
}

static bool recall(enum kind kind) {
    int fd = open(kept_paths[kind], O_RDONLY);
    bool complete = fd >= 0 && read(fd, table[kind], sizeof table[kind]) == (int)sizeof table[kind];
    if (fd >= 0)
        close(fd);
    if (!complete)
        memset(table[kind], 0, sizeof table[kind]);
    return complete;
}

int main(int argc, char **argv) {
    uint64_t instructions;
    enum kind fork_kind = COW;
    if (argc != 1)
        usage("forkcmp");
    counting = counts_instructions();
    // These also bring into memory what the measurements need.
    if (!look_during_fork(&fork_kind) || !run_whole(fork_kind, EXEC, &instructions))
        return complain("fork");
    for (size_t row = 0; row < HEAPS; row++)
        measure_heap(row, fork_kind);
    keep(fork_kind);
    bool complete = recall(fork_kind == COW ? EAGER : COW);
    table_print();
    if (complete && counting)
        prices_print();
    put_text(
        "\nframe: taken right after the fork. then: pages the child writes, or exec of /true.\n"
        "A child that writes nothing still uses its stack: that is the one copy.\n");
    if (!counting)
        put_text("make forkcmp prints the same table for both kinds of fork, from one hart with\n"
                 "256 MiB, and counts instructions, which QEMU does only with -icount shift=0. On\n"
                 "several harts the page of the stack is copied by the process that writes to it\n"
                 "first, or not at all if the child has ended by then: 0 or 1 copies.\n");
    if (!complete)
        put_text(
            "For the other kind of fork, boot with APPEND=fork=%s, run forkcmp there, and then\n"
            "again here.\n",
            fork_kind == COW ? "eager" : "cow");
    return 0;
}
