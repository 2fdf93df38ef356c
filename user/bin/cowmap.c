// Draws the pages of a process tree, as they are mapped: a row a run of like pages, a column a
// process.
//
//   cowmap [pid]    the process and its descendants, by default of the shell; again every second
//   until Enter or Ctrl-C
//   --once          one picture, as always when input or output is not the console
//   --plain         no colours
//   --demo          the story of three pages that a fork shares and a write parts; status 1 if the
//   frames tell another
//
// A process may run while its pages are read, so a picture of busy processes can be a mixture of
// two moments.

#include "cow6.h"
#include "tool.h"

enum {
    COLUMNS = 4, // that fit a line of 80
    COLUMN_WIDTH = 15,
    CHUNK_PAGES = 64, // asked for at a time
    SCREEN_ROWS = 17, // of 24 lines, without heading and what stands below
    LINE_BYTES = 256,
};

struct column {
    struct procinfo process;
    const char *gone; // why nothing can be seen; NULL: it can
    uint64_t start;   // of the pages that are kept here
    int count;
    struct pageinfo pages[CHUNK_PAGES];
    int lender; // whose memory it borrows; 0: nobody's
};

struct line {
    char text[LINE_BYTES];
    size_t length, width; // colours have no width
};

struct row {
    uint64_t start, pages;
    struct pageinfo cells[COLUMNS]; // of the first page
};

static bool coloured, watching;
static struct column columns[COLUMNS];
static size_t column_count;
static struct procinfo processes[PROCS_MAX];
static size_t process_count;
static size_t row_count; // of the picture

// Ends a line: on a screen that is drawn again, also erases what an earlier picture left there.
static const char *line_end(void) {
    return watching ? "\033[K\n" : "\n";
}

// A page in a letter.

static char mark_of(const struct pageinfo *p) {
    if (!(p->flags & PAGE_REGION))
        return ' ';
    if (!(p->flags & PAGE_PRESENT))
        return '.';
    if (p->flags & PAGE_SHARED)
        return p->flags & PAGE_WRITE ? 'S' : 's';
    if (p->flags & PAGE_COW)
        return 'C';
    if (p->flags & PAGE_WRITE)
        return 'W';
    return p->flags & PAGE_EXEC ? 'X' : 'R';
}

static const char *colour_of(char mark) {
    switch (mark) {
    case 'C':
        return "33"; // yellow
    case 'W':
        return "32"; // green
    case 'S':
    case 's':
        return "35"; // magenta
    case '.':
        return "2"; // faint
    default:
        return "36"; // cyan
    }
}

static void legend_print(void) {
    put_text("cowmap",
             "W writable  C copy-on-write  R read-only  X code  S shared (s: not written)%s",
             line_end());
    put_text("cowmap",
             ". not touched yet  80abc frame, + and others  xN entries and slots that name it%s",
             line_end());
}

static void line_add(struct line *l, size_t place, const char *text, const char *colour) {
    for (; l->width < place; l->width++)
        l->text[l->length++] = ' ';
    const char *format = colour != NULL ? "\033[%sm%s\033[0m" : "%s%s";
    l->length += (size_t)snprintf(l->text + l->length, LINE_BYTES - l->length, format,
                                  colour != NULL ? colour : "", text);
    l->width += strlen(text);
}

// Prints a line: its beginning, and the cells; is_run: they stand for several pages.
static void cells_print(const char *left, const struct pageinfo *cells, bool is_run) {
    struct line l = {0};
    line_add(&l, 0, left, NULL);
    for (size_t i = 0; i < column_count; i++) {
        char cell[32];
        const struct pageinfo *p = &cells[i];
        char mark = mark_of(p);
        if (p->flags & PAGE_PRESENT)
            snprintf(cell, sizeof cell, "%c %lx%s x%u", mark, p->frame, is_run ? "+" : "",
                     p->sharers);
        else
            snprintf(cell, sizeof cell, "%c", mark);
        if (mark != ' ')
            line_add(&l, strlen(left) + 1 + i * COLUMN_WIDTH, cell,
                     coloured ? colour_of(mark) : NULL);
    }
    put_text("cowmap", "%s%s", l.text, line_end());
}

static void heading_print(const char *left) {
    struct line l = {0};
    line_add(&l, 0, left, NULL);
    for (size_t i = 0; i < column_count; i++) {
        char title[COLUMN_WIDTH];
        snprintf(title, sizeof title, "%d %s", columns[i].process.pid, columns[i].process.name);
        line_add(&l, strlen(left) + 1 + i * COLUMN_WIDTH, title, NULL);
    }
    put_text("cowmap", "%s%s", l.text, line_end());
}

// Pages.

// What is at the address in the column's process.
static const struct pageinfo *page_at(struct column *c, uint64_t address) {
    static const struct pageinfo nothing;
    if (c->gone == NULL && address - c->start >= (uint64_t)c->count * PAGE_BYTES) {
        c->start = address;
        c->count = pagemap(c->process.pid, address, c->pages, CHUNK_PAGES);
        if (c->count < 0)
            c->gone = errno == ESRCH ? "has ended" : strerror(errno);
        if (c->count < 0)
            c->count = 0;
    }
    return address - c->start < (uint64_t)c->count * PAGE_BYTES
               ? &c->pages[(address - c->start) / PAGE_BYTES]
               : &nothing;
}

// Fills the cells of the page. Returns whether a region of some column covers it, and stores the
// address of the next page to look at, 0 if there is none.
static bool cells_read(uint64_t address, struct pageinfo *cells, uint64_t *next) {
    bool covered = false;
    *next = 0;
    for (size_t i = 0; i < column_count; i++) {
        cells[i] = *page_at(&columns[i], address);
        uint64_t above = cells[i].frame * PAGE_BYTES; // where nothing is: the next region
        if (cells[i].flags & PAGE_REGION)
            covered = true;
        else if (above > address && (*next == 0 || above < *next))
            *next = above;
    }
    if (covered)
        *next = address + PAGE_BYTES;
    return covered;
}

static bool is_same_frame(const struct pageinfo *a, const struct pageinfo *b) {
    return a->flags & b->flags & PAGE_PRESENT && a->frame == b->frame;
}

// Whether the page looks like those of the row before it.
static bool row_continues(const struct row *r, uint64_t address, const struct pageinfo *cells) {
    if (r->pages == 0 || address != r->start + r->pages * PAGE_BYTES)
        return false;
    for (size_t i = 0; i < column_count; i++) {
        if (cells[i].flags != r->cells[i].flags || cells[i].sharers != r->cells[i].sharers)
            return false;
        for (size_t j = 0; j < i; j++)
            if (is_same_frame(&cells[i], &cells[j]) != is_same_frame(&r->cells[i], &r->cells[j]))
                return false;
    }
    return true;
}

// Private memory that two processes can write is one address space: a child of vfork uses its
// parent's.
static void lenders_find(const struct row *r) {
    for (size_t i = 0; i < column_count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_frame(&r->cells[i], &r->cells[j]) && mark_of(&r->cells[i]) == 'W' &&
                mark_of(&r->cells[j]) == 'W')
                columns[i].lender = columns[j].process.pid;
}

static void row_print(const struct row *r) {
    char left[32];
    if (r->pages == 0)
        return;
    lenders_find(r);
    if (watching && ++row_count > SCREEN_ROWS)
        return;
    snprintf(left, sizeof left, "%10lx %6lu", r->start, r->pages);
    cells_print(left, r->cells, r->pages > 1);
}

static void rows_print(void) {
    struct row row = {0};
    uint64_t address = 0, next;
    do {
        struct pageinfo cells[COLUMNS];
        bool covered = cells_read(address, cells, &next);
        if (!covered || !row_continues(&row, address, cells)) {
            row_print(&row);
            row = (struct row){.start = address};
            memcpy(row.cells, cells, sizeof cells);
        }
        row.pages += covered;
        address = next;
    } while (next != 0);
    row_print(&row);
}

// Processes.

static const struct procinfo *process_find(int pid) {
    for (size_t i = 0; i < process_count; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    return NULL;
}

static bool is_below(const struct procinfo *p, int root) {
    for (size_t steps = 0; p != NULL && p->pid != root; p = process_find(p->parent))
        if (steps++ == process_count)
            return false; // parents changed meanwhile
    return p != NULL;
}

static void processes_read(void) {
    process_count = 0;
    for (int pid = 1; process_count < PROCS_MAX && procinfo(pid, &processes[process_count]) > 0;
         process_count++)
        pid = processes[process_count].pid + 1;
}

// Gives columns to the first processes of the tree. Returns how many there are.
static size_t columns_fill(int root) {
    size_t count = 0;
    for (size_t i = 0; i < process_count; i++) {
        if (!is_below(&processes[i], root))
            continue;
        if (count < COLUMNS)
            columns[count] =
                (struct column){.process = processes[i],
                                .gone = processes[i].state == PROCESS_ZOMBIE ? "has ended" : NULL};
        count++;
    }
    column_count = count < COLUMNS ? count : COLUMNS;
    return count;
}

static void notes_print(size_t tree_count) {
    if (row_count > SCREEN_ROWS)
        put_text("cowmap", "%lu more rows: cowmap --once%s", row_count - SCREEN_ROWS, line_end());
    for (size_t i = 0; i < column_count; i++) {
        const struct column *c = &columns[i];
        if (c->gone != NULL)
            put_text("cowmap", "%d %s%s", c->process.pid, c->gone, line_end());
        if (c->lender != 0)
            put_text("cowmap", "%d borrows the memory of %d (vfork)%s", c->process.pid, c->lender,
                     line_end());
    }
    if (tree_count > column_count)
        put_text("cowmap", "%lu more processes of the tree are not shown%s",
                 tree_count - column_count, line_end());
}

// Draws the tree. Returns the exit status.
static int tree_draw(int root) {
    processes_read();
    size_t tree_count = columns_fill(root);
    if (watching)
        put_text("cowmap", "\033[H");
    row_count = 0;
    if (tree_count == 0) {
        put_text("cowmap", "process %d has ended%s", root, line_end());
    } else {
        heading_print("   address  pages");
        rows_print();
        notes_print(tree_count);
        legend_print();
    }
    if (watching)
        put_text("cowmap", "Enter ends this.\033[K\033[J");
    return tree_count == 0;
}

// A child draws, so that this process can wait for Enter.
static int tree_watch(int root) {
    char key[16];
    int drawer = fork();
    if (drawer < 0)
        return complain("cowmap", "fork");
    if (drawer == 0) {
        watching = true;
        put_text("cowmap", "\033[2J");
        do
            tree_draw(root);
        while (sleep(TICKS_PER_SECOND) == 0);
        exit(0);
    }
    read(0, key, sizeof key);
    kill(drawer);
    wait(NULL);
    return 0;
}

// The story of three pages.

enum { PARENT, CHILD, STORY_PAGES = 3, PAGE_A = 0, PAGE_B, PAGE_C };

static char story[STORY_PAGES][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static struct pageinfo seen[COLUMNS][STORY_PAGES]; // by column
static uint64_t original[STORY_PAGES], copy;       // frames
static bool story_fails;
static int go[2], done[2]; // pipes to the child and from it

static void scene(const char *title) {
    put_text("cowmap", "\n%s\n", title);
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
    put_text("cowmap", "NOT SO: page %c of the %s should be %c %lx x%u.\n", 'A' + page,
             column == PARENT ? "parent" : "child", mark, frame, sharers);
    story_fails = true;
}

static _Noreturn void story_child(void) {
    char byte = 0;
    if (read(go[0], &byte, 1) != 1)
        exit(1);
    story[PAGE_C][0] = 'c';
    write(done[1], &byte, 1);
    read(go[0], &byte, 1); // until the parent has seen it, and closes
    exit(0);
}

// Forks a child, which gets the second column.
static int story_fork(void) {
    if (pipe(go) < 0 || pipe(done) < 0)
        return complain("cowmap", "pipe");
    int pid = fork();
    if (pid < 0)
        return complain("cowmap", "fork");
    if (pid == 0) {
        close(go[1]);
        story_child();
    }
    close(done[1]);
    columns[CHILD].process.pid = pid;
    string_copy(columns[CHILD].process.name, "child", sizeof columns[CHILD].process.name);
    column_count = 2;
    return 0;
}

static void story_begin(void) {
    for (int page = 0; page < STORY_PAGES; page++)
        story[page][0] = (char)('A' + page);
    columns[PARENT].process.pid = getpid();
    string_copy(columns[PARENT].process.name, "parent", sizeof columns[PARENT].process.name);
    column_count = 1;
    scene("1. A process has written three pages. They are its own (W), and one entry names\n"
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

static void story_after_fork(void) {
    scene("2. It has forked. Nothing was copied: the child's entries name the same frames\n"
          "   (x2). Neither may write them now; the copy-on-write mark (C) says that this is\n"
          "   only until one tries.");
    expect_shared(PAGE_A, PAGE_C);
}

static void story_after_write(void) {
    scene("3. The child has written to page C: a page fault. The kernel copied it, and the\n"
          "   write went to the copy, the child's own (W). A and B are shared as before.");
    copy = seen[CHILD][PAGE_C].frame;
    expect_shared(PAGE_A, PAGE_B);
    expect(PARENT, PAGE_C, original[PAGE_C], 'C', 1);
    expect(CHILD, PAGE_C, copy, 'W', 1);
    if (copy == original[PAGE_C] || story[PAGE_C][0] != 'C')
        story_fails = true;
}

static void story_after_last_write(void) {
    scene("4. The parent has written to page C, too. Nobody else names its frame any more,\n"
          "   so nothing had to be copied: the parent got the right to write back.");
    expect(PARENT, PAGE_C, original[PAGE_C], 'W', 1);
    expect(CHILD, PAGE_C, copy, 'W', 1);
}

// Tells it up to the first frame that does not fit. Returns the exit status.
static int story_tell(void) {
    char byte = 0;
    legend_print();
    story_begin();
    if (story_fork() != 0)
        return 1;
    story_after_fork();
    if (!story_fails) {
        if (write(go[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1)
            return complain("cowmap", "child");
        story_after_write();
    }
    if (!story_fails) {
        story[PAGE_C][0] = 'd';
        story_after_last_write();
    }
    close(go[1]);
    wait(NULL);
    if (story_fails)
        put_text("cowmap", "\nThe frames tell another story. (As it must if the kernel was booted "
                           "with fork=eager.)\n");
    else
        put_text("cowmap",
                 "\nThe frames tell the story: three pages were shared, one was copied.\n");
    return story_fails;
}

static bool is_console(int fd) {
    struct stat s;
    return fstat(fd, &s) == 0 && s.type == T_DEVICE;
}

static _Noreturn void usage_of_cowmap(void) {
    usage("cowmap [--once] [--plain] [pid] | cowmap [--plain] --demo");
}

int main(int argc, char **argv) {
    bool once = false, plain = false, demo = false;
    struct procinfo self;
    long root = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0)
            once = true;
        else if (strcmp(argv[i], "--plain") == 0)
            plain = true;
        else if (strcmp(argv[i], "--demo") == 0)
            demo = true;
        else if (root != 0 || number_parse(argv[i], &root) < 0 || root <= 0 || root > INT32_MAX)
            usage_of_cowmap();
    }
    if (demo && (once || root != 0))
        usage_of_cowmap();
    coloured = is_console(1) && !plain && !once;
    if (demo)
        return story_tell();
    if (root == 0 && procinfo(getpid(), &self) > 0)
        root = self.parent > 0 ? self.parent : self.pid;
    if (procinfo((int)root, &self) != root) {
        fprintf(2, "cowmap: no process %ld\n", root);
        return 1;
    }
    return once || !is_console(0) || !is_console(1) ? tree_draw((int)root) : tree_watch((int)root);
}
