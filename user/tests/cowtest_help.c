// Pages, turns, gates and limits for the tests of cowtest.
#include "cowtest.h"

#include "cow6.h"

enum { MEGAPAGES = 1 << 18 }; // pages that one sbrk can ask for: 1 GiB

static int limit_pipe[2];
static bool limited;
static size_t filled_pages;
static int filler_pipe[2];
static bool filler_open;

char *heap_grow(size_t page_count) {
    uintptr_t end = (uintptr_t)sbrk(0);
    if (end % PAGE_BYTES != 0)
        sbrk((int)(PAGE_BYTES - end % PAGE_BYTES));
    char *start = sbrk((int)(page_count * PAGE_BYTES));
    if (start == (char *)-1)
        FAIL("sbrk refuses memory that should be there: have earlier tests lost frames? [expected "
             "%zu pages, saw: %s]",
             page_count, strerror(errno));
    return start;
}

void heap_shrink(size_t page_count) {
    CHECK(sbrk(-(int)(page_count * PAGE_BYTES)) != (char *)-1, "the heap cannot be shrunk");
}

static uint64_t pattern_word(size_t page, size_t word, unsigned seed) {
    return (uint64_t)seed * 0x9e3779b97f4a7c15u + (uint64_t)page * 0x100000001b3u + word;
}

void pattern_fill(char *pages, size_t page_count, unsigned seed) {
    uint64_t *to = (uint64_t *)pages;
    for (size_t page = 0; page < page_count; page++) {
        for (size_t word = 0; word < PAGE_BYTES / sizeof *to; word++)
            *to++ = pattern_word(page, word, seed);
    }
}

bool pattern_matches(const char *pages, size_t page_count, unsigned seed) {
    const uint64_t *from = (const uint64_t *)pages;
    for (size_t page = 0; page < page_count; page++) {
        for (size_t word = 0; word < PAGE_BYTES / sizeof *from; word++) {
            if (*from++ != pattern_word(page, word, seed))
                return false;
        }
    }
    return true;
}

void check_pattern(const char *file, int line, const char *meaning, const char *pages,
                   size_t page_count, unsigned seed) {
    const uint64_t *from = (const uint64_t *)pages;
    for (size_t page = 0; page < page_count; page++) {
        for (size_t word = 0; word < PAGE_BYTES / sizeof *from; word++, from++) {
            uint64_t expected = pattern_word(page, word, seed);
            if (*from != expected)
                test_fail_check(file, line, meaning,
                                "expected word %zu of page %zu to be 0x%lx, saw 0x%lx", word, page,
                                expected, *from);
        }
    }
    if (test_tracing)
        test_trace(file, line);
}

void pipe_open(int *fds) {
    if (pipe(fds) < 0)
        FAIL("a pipe is not to be had [expected two descriptors, saw: %s]", strerror(errno));
}

char *heap_grow_filled(size_t page_count, unsigned seed) {
    char *pages = heap_grow(page_count);
    pattern_fill(pages, page_count, seed);
    return pages;
}

struct pageinfo page_of(pid_t pid, const void *p) {
    struct pageinfo info;
    CHECK_EQUAL(1, pagemap(pid, (uintptr_t)p / PAGE_BYTES * PAGE_BYTES, &info, 1), PROCESS_GONE);
    return info;
}

static const char *state_name(unsigned flags) {
    switch (flags & (PAGE_OWN | PAGE_MARKED)) {
    case PAGE_ABSENT:
        return "absent";
    case PAGE_OWN:
        return "writable";
    case PAGE_MARKED:
        return "marked copy-on-write";
    case PAGE_PRESENT:
        return "read-only, not marked";
    default:
        return "in an impossible state";
    }
}

// What it means that a page is in the wrong state, and what to look at.
static const char *explain_state(unsigned expected, const struct pageinfo *seen) {
    bool is_shared = seen->sharers > 1;
    switch (seen->flags & (PAGE_OWN | PAGE_MARKED)) {
    case PAGE_ABSENT:
        return "is gone: fork must leave the parent's entries, and give the child one for each "
               "page";
    case PAGE_PRESENT:
        return "is read-only and lacks the copy-on-write mark: the next write will be refused";
    case PAGE_MARKED:
        if (expected == PAGE_OWN)
            return "is still marked: after its own write an entry has W, and no mark";
        return "is marked";
    default:
        if (is_shared)
            return "can still be written though it is shared: was W cleared in this entry, and the "
                   "TLB flushed? Or has "
                   "cow_break changed more than the page at va?";
        return "can be written though nobody has written to it since the fork: was it copied "
               "instead of shared?";
    }
}

static const char *explain_sharers(unsigned expected, unsigned seen) {
    if (seen < expected)
        return "has a count that is too low: fork must take a reference for each entry "
               "(frame_get), and nobody "
               "drop one twice";
    return "has a count that is too high: is the old frame's reference dropped after a copy, and "
           "each entry's when "
           "its process exits (frame_put)?";
}

void check_page(const char *file, int line, const char *meaning, pid_t pid, const void *p,
                unsigned state, unsigned sharers) {
    struct pageinfo seen = page_of(pid, p);
    unsigned seen_state = seen.flags & (PAGE_OWN | PAGE_MARKED);
    if (seen_state == state && seen.sharers == sharers)
        return;
    char words[200];
    snprintf(
        words, sizeof words, "%s page %s", pid == test_process ? "the parent's" : "the child's",
        seen_state != state ? explain_state(state, &seen) : explain_sharers(sharers, seen.sharers));
    if (meaning[0] == '\0')
        meaning = words;
    test_fail_check(file, line, meaning, "expected it %s, named by %u, saw it %s, named by %u",
                    state_name(state), sharers, state_name(seen_state), seen.sharers);
}

uint64_t faults_since(const struct memstat *before, enum fault_kind kind) {
    return test_memstat().faults[kind] - before->faults[kind];
}

// What it means that frames, copies or reuses are more, or fewer, than expected.
static const char *explain_cost(long frames, long copies, long reuses) {
    if (copies > 0 && reuses < 0)
        return LAST_COPIES;
    if (copies > 0)
        return "pages were copied that nobody wrote: copy the page of the fault, and no other";
    if (copies < 0 && reuses > 0)
        return "a page that others still share was taken for the last owner's: is its count too "
               "low?";
    if (copies < 0)
        return "a write to a shared page made no copy: was the page copied at the fork, or the "
               "shared one written?";
    if (reuses > 0)
        return "pages were made writable that nobody wrote";
    if (reuses < 0)
        return "the last owner's write did not get the right to write back: count FAULT_COW_REUSE "
               "where it does";
    if (frames > 0)
        return "more frames are taken than pages were copied";
    return "more frames are free than should be: one was freed that somebody still has";
}

void check_cost(const char *file, int line, const char *meaning, const struct memstat *before,
                long frames, long copies, long reuses) {
    struct memstat now = test_memstat();
    long frames_seen = (long)(before->frames_free - now.frames_free);
    long copies_seen = (long)(now.faults[FAULT_COW_COPY] - before->faults[FAULT_COW_COPY]);
    long reuses_seen = (long)(now.faults[FAULT_COW_REUSE] - before->faults[FAULT_COW_REUSE]);
    if (frames_seen == frames && copies_seen == copies && reuses_seen == reuses)
        return;
    if (meaning[0] == '\0')
        meaning = explain_cost(frames_seen - frames, copies_seen - copies, reuses_seen - reuses);
    test_fail_check(file, line, meaning,
                    "expected %ld frames, %ld copies, %ld reuses, saw %ld, %ld, %ld", frames,
                    copies, reuses, frames_seen, copies_seen, reuses_seen);
}

// Waits until the child has said that it pauses, and does; false if it has ended.
static bool child_pauses(const struct turns *t) {
    char byte;
    TEST_WAITS("the child to end its turn");
    if (read(t->to_parent[0], &byte, 1) != 1)
        return false;
    struct procinfo info;
    do {
        if (procinfo(t->child, &info) != t->child || info.state == PROCESS_ZOMBIE)
            return false;
    } while (info.state != PROCESS_SLEEPING);
    return true;
}

pid_t turns_fork(struct turns *t) {
    pipe_open(t->to_child);
    pipe_open(t->to_parent);
    test_own_pages();
    pid_t pid = TEST_FORK();
    if (pid == 0) {
        close(t->to_child[1]);
        close(t->to_parent[0]);
        test_own_pages();
        turns_pause(t);
        return 0;
    }
    close(t->to_child[0]);
    close(t->to_parent[1]);
    t->child = pid;
    CHECK(child_pauses(t),
          "the child ended as soon as fork had made it: begin with one_page_step_by_step");
    test_own_pages();
    return pid;
}

bool turns_next(struct turns *t) {
    char byte = 0;
    return write(t->to_child[1], &byte, 1) == 1 && child_pauses(t);
}

void turns_pause(struct turns *t) {
    char byte = 0;
    write(t->to_parent[1], &byte, 1);
    read(t->to_child[0], &byte, 1);
}

void turns_close(struct turns *t) {
    close(t->to_child[1]);
    close(t->to_parent[0]);
    CHECK_CHILD(0);
}

void gate_init(struct gate *g) {
    pipe_open(g->fd);
}

void gate_wait(struct gate *g) {
    char byte;
    close(g->fd[1]);
    read(g->fd[0], &byte, 1);
    close(g->fd[0]);
}

void gate_open(struct gate *g) {
    close(g->fd[0]);
    close(g->fd[1]);
}

uint64_t time_now(void) {
    uint64_t now;
    __asm__ volatile("rdtime %0" : "=r"(now));
    return now;
}

void time_wait(uint64_t when) {
    while ((int64_t)(when - time_now()) > 0)
        ;
}

size_t frames_available(void) {
    struct memstat now = test_memstat();
    return now.frames_free - now.frames_promised;
}

void memory_limit(size_t frames) {
    int ready[2];
    char byte = 0;
    if (frames_available() <= frames)
        return;
    pipe_open(limit_pipe);
    pipe_open(ready);
    IN_CHILD {
        close(limit_pipe[1]);
        memory_fill(frames);
        write(ready[1], &byte, 1);
        read(limit_pipe[0], &byte, 1);
    }
    close(limit_pipe[0]);
    close(ready[1]);
    TEST_WAITS("a child to take memory");
    CHECK_EQUAL(1, read(ready[0], &byte, 1),
                "the child that should take memory has died: the kernel's line above says why");
    close(ready[0]);
    limited = true;
    test_own_pages();
}

void memory_unlimit(void) {
    if (!limited)
        return;
    close(limit_pipe[1]);
    CHECK_CHILD(0);
    limited = false;
}

size_t memory_fill(size_t keep) {
    for (size_t pages = MEGAPAGES; pages > 0; pages /= 2) {
        size_t tables = pages > 1 ? pages / TABLE_PAGES + 2 : 0; // which a promise may include
        while (frames_available() >= keep + pages + tables) {
            if (sbrk((int)(pages * PAGE_BYTES)) == (char *)-1)
                break;
            filled_pages += pages;
        }
    }
    if (frames_available() > keep && !filler_open) { // one, where a page would need a table too
        pipe_open(filler_pipe);
        filler_open = true;
    }
    return frames_available();
}

void memory_release(void) {
    if (filler_open) {
        close(filler_pipe[0]);
        close(filler_pipe[1]);
        filler_open = false;
    }
    for (; filled_pages > 0; filled_pages -= filled_pages < MEGAPAGES ? filled_pages : MEGAPAGES)
        heap_shrink(filled_pages < MEGAPAGES ? filled_pages : MEGAPAGES);
}
