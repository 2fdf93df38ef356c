// The demonstration: three pages that a fork shares, and what two writes do to one of them. After
// each step the page tables of both processes are shown and compared with what they should be.
#include "cowmap.h"

enum { PARENT, CHILD, STORY_PAGES = 3, PAGE_A = 0, PAGE_B, PAGE_C };

static char story[STORY_PAGES][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static struct pageinfo seen[COLUMNS][STORY_PAGES]; // by column
static uint64_t original[STORY_PAGES], copy;       // frames
static bool story_fails;
static int go[2], done[2]; // pipes to the child and from it

static void show_scene(const char *title) {
    put_text("\n%s\n", title);
    heading_print("      ");
    for (size_t i = 0; i < column_count; i++)
        if (pagemap(columns[i].process.pid, (uintptr_t)story, seen[i], STORY_PAGES) != STORY_PAGES)
            story_fails = true;
    for (int page = 0; page < STORY_PAGES; page++) {
        char left[] = {'p', 'a', 'g', 'e', ' ', (char)('A' + page), '\0'};
        struct pageinfo cells[COLUMNS];
        for (size_t i = 0; i < column_count; i++)
            cells[i] = seen[i][page];
        cells_print(left, cells, false);
    }
}

static void expect(int column, int page, uint64_t frame, char mark, unsigned sharers) {
    const struct pageinfo *p = &seen[column][page];
    if (p->frame == frame && mark_of(p) == mark && p->sharers == sharers)
        return;
    put_text("WRONG: page %c of the %s should be %c %lx x%u.\n", 'A' + page,
             column == PARENT ? "parent" : "child", mark, frame, sharers);
    story_fails = true;
}

static _Noreturn void run_child(void) {
    char byte = 0;
    if (read(go[0], &byte, 1) != 1)
        exit(1);
    story[PAGE_C][0] = 'c';
    write(done[1], &byte, 1);
    read(go[0], &byte, 1); // ends when the parent has looked and closes its end
    exit(0);
}

// Forks the child, which gets the second column.
static int fork_child(void) {
    if (pipe(go) < 0 || pipe(done) < 0)
        return complain("pipe");
    int pid = fork();
    if (pid < 0)
        return complain("fork");
    if (pid == 0) {
        close(go[1]);
        run_child();
    }
    close(done[1]);
    columns[CHILD].process.pid = pid;
    string_copy(columns[CHILD].process.name, "child", sizeof columns[CHILD].process.name);
    column_count = 2;
    return 0;
}

static void show_start(void) {
    for (int page = 0; page < STORY_PAGES; page++)
        story[page][0] = (char)('A' + page);
    columns[PARENT].process.pid = getpid();
    string_copy(columns[PARENT].process.name, "parent", sizeof columns[PARENT].process.name);
    column_count = 1;
    show_scene("1. A process has written three pages. They are its own (W), and one entry maps\n"
               "   each frame (x1).");
    for (int page = 0; page < STORY_PAGES; page++) {
        original[page] = seen[PARENT][page].frame;
        expect(PARENT, page, original[page], 'W', 1);
    }
}

static void expect_shared(int first, int last) {
    for (int page = first; page <= last; page++)
        for (int column = PARENT; column <= CHILD; column++)
            expect(column, page, original[page], 'C', 2);
}

static void show_fork(void) {
    show_scene("2. It has forked. Nothing was copied: the child's entries map the same frames\n"
               "   (x2). Neither process may write to them now: the copy-on-write bit (C) is set,\n"
               "   and the first write to a page will be a page fault.");
    expect_shared(PAGE_A, PAGE_C);
}

static void show_write(void) {
    show_scene("3. The child has written to page C: a page fault. The kernel copied the page,\n"
               "   and the write went to the copy, the child's own (W). A and B are still shared.");
    copy = seen[CHILD][PAGE_C].frame;
    expect_shared(PAGE_A, PAGE_B);
    expect(PARENT, PAGE_C, original[PAGE_C], 'C', 1);
    expect(CHILD, PAGE_C, copy, 'W', 1);
    if (copy == original[PAGE_C] || story[PAGE_C][0] != 'C')
        story_fails = true;
}

static void show_last_write(void) {
    show_scene("4. The parent has written to page C, too. No other entry maps its frame, so\n"
               "   nothing had to be copied: the parent's entry became writable again (W).");
    expect(PARENT, PAGE_C, original[PAGE_C], 'W', 1);
    expect(CHILD, PAGE_C, copy, 'W', 1);
}

int story_tell(void) {
    char byte = 0;
    legend_print();
    show_start();
    if (fork_child() != 0)
        return 1;
    show_fork();
    if (!story_fails) {
        if (write(go[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
            return complain("child");
        show_write();
    }
    if (!story_fails) {
        story[PAGE_C][0] = 'd';
        show_last_write();
    }
    close(go[1]);
    wait(NULL);
    if (story_fails)
        put_text("\nThe frames tell another story. (As they must if the kernel was booted with "
                 "fork=eager.)\n");
    else
        put_text("\nThe frames tell the story: three pages were shared, one was copied.\n");
    return story_fails;
}
