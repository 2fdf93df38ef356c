// Draws the pages of a process tree, as they are mapped: a row for each run of similar pages, a
// column for each process.
//
//   cowmap [pid]    the process and its descendants, by default the shell's; drawn again
//                   every second until Enter or Ctrl-C
//   --once          one picture; so it is also when input or output is not the console
//   --plain         no colours
//   --demo          demonstrates copy-on-write with three pages; status 1 if a frame is not the
//                   expected one
//
// A process may run while its pages are read, so a picture of busy processes can mix two moments.
#include "cowmap.h"

const char program_name[] = "cowmap";

struct column columns[COLUMNS];
size_t column_count;
bool coloured, watching;

static struct procinfo processes[PROCS_MAX];
static size_t process_count;

static const struct procinfo *find_process(int pid) {
    for (size_t i = 0; i < process_count; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    return NULL;
}

static bool is_below(const struct procinfo *p, int root) {
    for (size_t steps = 0; p != NULL && p->pid != root; p = find_process(p->parent))
        if (steps++ == process_count)
            return false; // the tree has changed meanwhile
    return p != NULL;
}

static void read_processes(void) {
    process_count = 0;
    for (int pid = 1; process_count < PROCS_MAX && procinfo(pid, &processes[process_count]) > 0;
         process_count++)
        pid = processes[process_count].pid + 1;
}

// Gives columns to the first processes of the tree. Returns how many processes the tree has.
static size_t fill_columns(int root) {
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

static void print_notes(size_t row_count, size_t tree_count) {
    if (watching && row_count > SCREEN_ROWS)
        put_text("%lu more rows: cowmap --once%s", row_count - SCREEN_ROWS, line_end());
    for (size_t i = 0; i < column_count; i++) {
        const struct column *c = &columns[i];
        if (c->gone != NULL)
            put_text("%d %s%s", c->process.pid, c->gone, line_end());
        if (c->lender != 0)
            put_text("%d borrows the memory of %d (vfork)%s", c->process.pid, c->lender,
                     line_end());
    }
    if (tree_count > column_count)
        put_text("%lu more processes of the tree are not shown%s", tree_count - column_count,
                 line_end());
}

// Draws the tree. Returns the exit status.
static int draw_tree(int root) {
    read_processes();
    size_t tree_count = fill_columns(root);
    if (watching)
        put_text("\033[H");
    if (tree_count == 0) {
        put_text("process %d has ended%s", root, line_end());
    } else {
        heading_print("   address  pages");
        size_t row_count = rows_print();
        print_notes(row_count, tree_count);
        legend_print();
    }
    if (watching)
        put_text("Press Enter to quit.\033[K\033[J");
    return tree_count == 0;
}

// A child draws; this process waits for Enter.
static int watch_tree(int root) {
    char key[16];
    int drawer = fork();
    if (drawer < 0)
        return complain("fork");
    if (drawer == 0) {
        watching = true;
        put_text("\033[2J");
        do
            draw_tree(root);
        while (sleep(TICKS_PER_SECOND) == 0);
        exit(0);
    }
    read(0, key, sizeof key);
    kill(drawer);
    wait(NULL);
    return 0;
}

static bool is_console(int fd) {
    struct stat s;
    return fstat(fd, &s) == 0 && s.type == T_DEVICE;
}

static _Noreturn void end_with_usage(void) {
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
            end_with_usage();
    }
    if (demo && (once || root != 0))
        end_with_usage();
    coloured = is_console(1) && !plain && !once;
    if (demo)
        return story_tell();
    if (root == 0 && procinfo(getpid(), &self) > 0)
        root = self.parent > 0 ? self.parent : self.pid;
    if (procinfo((int)root, &self) != root)
        return warn("no process %ld", root);
    return once || !is_console(0) || !is_console(1) ? draw_tree((int)root) : watch_tree((int)root);
}
