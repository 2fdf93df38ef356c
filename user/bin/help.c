// Lists what can be typed: the programs, one per line, and the keys. With names: only these
// programs.

#include "cow6.h"
#include "tool.h"

const char program_name[] = "help";

struct entry {
    const char *name, *text;
};

static const struct entry programs[] = {
    {"bench", "counts the instructions of system calls and page faults"},
    {"cat", "cat [file ...]: shows files"},
    {"cowmap", "cowmap [pid], cowmap --demo: draws which processes share which pages"},
    {"cowtest", "cowtest [name ...], cowtest -l: tests copy-on-write fork"},
    {"crash", "crash what: does something that a program must not do"},
    {"echo", "echo [-n] [word ...]: prints its arguments"},
    {"false", "exits with status 1"},
    {"forkcmp", "compares fork, copy-on-write and vfork in numbers"},
    {"forktest", "forks until no process is left"},
    {"free", "free [-c]: memory in use, page faults; -c checks invariants"},
    {"grep", "grep [-vnic] pattern [file ...]: lines that match"},
    {"hangs", "hangs on purpose, to test the watchdog"},
    {"harts", "harts n: tests that n harts run programs at the same time"},
    {"head", "head [-n lines] [file ...]: the first lines"},
    {"help", "help [name ...]: describes programs"},
    {"init", "the first process, which starts the shell"},
    {"kill", "kill pid ...: kills processes"},
    {"ln", "ln old new: gives a file another name"},
    {"ls", "ls [-l] [path ...]: lists directories"},
    {"manyfiles", "compares calls in small and in large directories"},
    {"mkdir", "mkdir directory ...: makes directories"},
    {"mv", "mv old ... new: moves files"},
    {"poweroff", "poweroff [status]: turns the machine off"},
    {"ps", "lists the processes"},
    {"rm", "rm [-rf] path ...: removes files"},
    {"scale", "scale curve:size ...: counts what work costs when there is more of it"},
    {"seq", "seq [first] last: prints numbers"},
    {"sh", "sh [file], sh -c commands: the shell"},
    {"shmdemo", "compares shared memory with private memory"},
    {"sleep", "sleep seconds: does nothing for a while"},
    {"sort", "sort [-rnu] [file ...]: sorts lines"},
    {"tee", "tee [file ...]: copies its input to its output and to files"},
    {"touch", "touch file ...: makes empty files"},
    {"true", "exits with status 0"},
    {"uniq", "uniq [-c] [file]: leaves out repeated lines"},
    {"uptime", "shows how long the machine has been running"},
    {"usertests", "usertests [name ...]: tests every system call"},
    {"watchdog", "ends a test that hangs; the test programs start it"},
    {"wc", "wc [-lwc] [file ...]: counts lines, words and bytes"},
};

static const char shell[] =
    "The shell knows  a | b   a; b   a && b   a || b   a &   (a; b)   < > >> 2>\n"
    "and cd and exit. Words may be quoted. # starts a comment.\n";

static const char keys[] =
    "Left, Right, Home, End, Ctrl-A, Ctrl-E   move in the line\n"
    "Up, Down                                 recall earlier lines\n"
    "Tab                                      completes a name; again: lists the matches\n"
    "Backspace, Delete                        erase a character\n"
    "Ctrl-W, Ctrl-K, Ctrl-U                   erase a word, the rest, the line\n"
    "Ctrl-L                                   clears the screen\n"
    "Ctrl-C                                   kills the job, or drops the line\n"
    "Ctrl-D                                   ends the input\n"
    "Ctrl-P                                   lists the processes, at any time\n"
    "In QEMU, type Ctrl-A twice for Ctrl-A. Ctrl-A X ends QEMU, as poweroff does.\n";

static const struct entry *entry_of(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        if (strcmp(programs[i].name, name) == 0)
            return &programs[i];
    return NULL;
}

static void put_entry(const char *name) {
    const struct entry *e = entry_of(name);
    put_text("%-14s %s\n", name, e != NULL ? e->text : "(not part of cow6)");
}

// Describes the programs that are on the disk.
static int put_programs(void) {
    size_t count;
    int fd = open("/", O_RDONLY);
    char **names = fd >= 0 ? directory_names(fd, &count) : NULL;
    if (names == NULL)
        return complain("/");
    close(fd);
    for (size_t i = 0; i < count; i++)
        if (is_program("/", names[i]))
            put_entry(names[i]);
    free(names);
    return 0;
}

int main(int argc, char **argv) {
    int status = 0;
    for (int i = 1; i < argc; i++) {
        if (is_program("/", argv[i])) {
            put_entry(argv[i]);
            continue;
        }
        status = warn("%s: no such program", argv[i]);
    }
    if (argc > 1)
        return status;
    status = put_programs();
    put_text("\n%s\n%s", shell, keys);
    return status;
}
