// Pages for the tests of cowtest: heap with a pattern, what pagemap should say of a page, what an
// access should cost, and what it means if that is not so.
#include "cowtest.h"

#include "cow6.h"

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

// What it means that a page is in the wrong state, and where to look.
static const char *explain_state(unsigned expected, const struct pageinfo *seen) {
    bool is_shared = seen->sharers > 1;
    switch (seen->flags & (PAGE_OWN | PAGE_MARKED)) {
    case PAGE_ABSENT:
        return "is gone: fork must keep the parent's entries, and give the child one for each page";
    case PAGE_PRESENT:
        return "is read-only and lacks the copy-on-write bit: the next write will be refused";
    case PAGE_MARKED:
        if (expected == PAGE_OWN)
            return "still has the copy-on-write bit: after its own write an entry has W instead";
        return "has the copy-on-write bit";
    default:
        if (is_shared)
            return "can still be written though it is shared: was W cleared in this entry, and the "
                   "TLB flushed? Or has cow_break changed more than the page at va?";
        return "can be written though there was no write to it since the fork: was it copied "
               "instead of shared?";
    }
}

static const char *explain_sharers(unsigned expected, unsigned seen) {
    if (seen < expected)
        return "has a count that is too low: fork must take a reference for each entry "
               "(frame_get), and no reference may be dropped twice";
    return "has a count that is too high: is the old frame's reference dropped after a copy, and "
           "each entry's when its process exits (frame_put)?";
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
    test_fail_check(file, line, meaning, "expected it %s, mapped by %u, saw it %s, mapped by %u",
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
        return "pages were copied without a write to them: copy the page of the fault, and no "
               "other";
    if (copies < 0 && reuses > 0)
        return "a page that others still share was treated as the last owner's: is its count too "
               "low?";
    if (copies < 0)
        return "a write to a shared page made no copy: was the page copied at the fork, or the "
               "shared frame written?";
    if (reuses > 0)
        return "pages were made writable without a write to them";
    if (reuses < 0)
        return "the last owner's write did not make the entry writable again, or FAULT_COW_REUSE "
               "is not counted where it does";
    if (frames > 0)
        return "more frames are taken than pages were copied";
    return "more frames are free than should be: one was freed that is still mapped";
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
