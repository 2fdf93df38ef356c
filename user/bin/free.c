// Shows what memory is used for, in pages, and what the page faults since boot did. -c: also checks
// the kernel's invariants and the file system; status 1 if a check fails.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "free";

enum { OPTION_CHECK = 1 << 0, PAGE_KIB = 4 };

static const char *const use_names[FRAME_USES] = {
    [FRAME_KERNEL] = "kernel",     [FRAME_TABLE] = "page tables", [FRAME_USER] = "processes",
    [FRAME_CACHE] = "block cache", [FRAME_PIPE] = "pipes",
};

static const char *const fault_names[FAULT_KINDS] = {
    [FAULT_ZERO_FILL] = "zero-fill", [FAULT_FILE] = "file",           [FAULT_COW_COPY] = "cow copy",
    [FAULT_COW_REUSE] = "cow reuse", [FAULT_SHARED] = "shared",       [FAULT_STALE] = "stale",
    [FAULT_REFUSED] = "refused",     [FAULT_NO_MEMORY] = "no memory",
};

static void show_pages(const char *name, uint64_t pages) {
    put_text("%-12s %8lu %9lu KiB\n", name, pages, pages * PAGE_KIB);
}

static void show(const struct memstat *m) {
    put_text("memory          pages\n");
    show_pages("total", m->frames_total);
    show_pages("free", m->frames_free);
    show_pages("reserved", m->frames_promised);
    for (int use = 0; use < FRAME_USES; use++)
        if (use_names[use] != NULL)
            show_pages(use_names[use], m->frames_used[use]);
    put_text("faults\n");
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (fault_names[kind] != NULL)
            put_text("%-12s %8lu\n", fault_names[kind], m->faults[kind]);
    put_text("%-12s %8lu\n", "forks", m->forks);
}

int main(int argc, char **argv) {
    struct memstat m;
    unsigned options = 0;
    if (options_parse(argc, argv, "c", &options) != argc)
        usage("free [-c]");
    if (memstat(&m, options & OPTION_CHECK ? MEMSTAT_CHECK | MEMSTAT_CHECK_FILES : 0) < 0)
        return complain("memstat");
    show(&m);
    if (!(options & OPTION_CHECK))
        return 0;
    put_text("%-12s %8lu\n", "violations", m.violations);
    return m.violations != 0;
}
