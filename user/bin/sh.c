// The shell: reads commands (lib/command.h has the language), runs them in child processes, waits.
// In the shell itself run only cd and exit. It goes on when a fork fails or memory is short, with a
// message and status 1.
//
//   sh            commands from fd 0, with a prompt if that is the console
//   sh file       commands from a file
//   sh -c text    commands from the text

#include "command.h"
#include "cow6.h"
#include "prompt.h"
#include "tool.h"

enum {
    STATUS_INTERRUPTED = 130,
    STATUS_KILLED = 137,
    STATUS_NOT_RUN = 126,
    STATUS_NOT_FOUND = 127,
    STATUS_WRONG = 2
};

static bool interactive; // commands come from the console
static int last_status;

static int run_jobs(const struct job *jobs);

// Reads up to the end of the file, which is where the next write goes.
static void append_seek(int fd) {
    char buffer[512];
    struct stat stat;
    if (fstat(fd, &stat) < 0 || stat.type != T_FILE)
        return;
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

static int redirect_open(const struct redirect *r) {
    switch (r->kind) {
    case REDIRECT_READ:
        return open(r->target, O_RDONLY);
    case REDIRECT_WRITE:
        return open(r->target, O_WRONLY | O_CREATE | O_TRUNC);
    case REDIRECT_SAME:
        return dup(*r->target - '0');
    default:
        break;
    }
    int fd = open(r->target, O_RDWR | O_CREATE);
    if (fd >= 0)
        append_seek(fd);
    return fd;
}

static int redirect_all(const struct redirect *r) {
    for (; r != NULL; r = r->next) {
        int fd = redirect_open(r);
        if (fd < 0 || fd_move(fd, r->fd) < 0)
            return complain("sh", r->target);
    }
    return 0;
}

// Becomes the program: of the current directory, else of the root.
static _Noreturn void run_program(char **arguments) {
    const char *name = arguments[0];
    char path[PATH_BYTES];
    exec(name, arguments);
    int reason = errno;
    if (strchr(name, '/') == NULL && path_join(path, sizeof path, "/", name) == 0) {
        exec(path, arguments);
        reason = reason == ENOENT || errno != ENOENT ? errno : reason;
    }
    fprintf(2, "sh: %s: %s\n", name, strerror(reason));
    exit(reason == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

static int run_cd(const struct command *c) {
    const char *directory = c->argument_count > 1 ? c->arguments[1] : "/";
    if (c->argument_count > 2) {
        fprintf(2, "usage: cd [directory]\n");
        return STATUS_WRONG;
    }
    return chdir(directory) < 0 ? complain("cd", directory) : 0;
}

static int run_exit(const struct command *c) {
    long status = last_status;
    if (c->argument_count > 2 ||
        (c->argument_count == 2 && number_parse(c->arguments[1], &status) < 0)) {
        fprintf(2, "usage: exit [status]\n");
        return STATUS_WRONG;
    }
    exit((int)status);
}

static bool command_is(const struct command *c, const char *name) {
    return c->argument_count > 0 && strcmp(c->arguments[0], name) == 0;
}

static bool is_builtin(const struct command *c) {
    return command_is(c, "cd") || command_is(c, "exit");
}

static int run_builtin(const struct command *c) {
    return command_is(c, "cd") ? run_cd(c) : run_exit(c);
}

// Runs the command in the process it has for itself.
static _Noreturn void run_command(const struct command *c) {
    interactive = false;
    if (redirect_all(c->redirects) != 0)
        exit(1);
    if (c->body != NULL)
        exit(run_jobs(c->body));
    if (c->argument_count == 0)
        exit(0);
    if (is_builtin(c))
        exit(run_builtin(c));
    run_program(c->arguments);
}

// Starts the command with its input from fd `in`, which is closed, and its output to a pipe if
// another command follows. Returns the fd to read that from, 0 if there is none, or -1.
static int start_command(struct command *c, int in) {
    int ends[2] = {0, 1};
    c->pid = -1;
    if (c->next == NULL || pipe(ends) == 0)
        c->pid = fork();
    if (c->pid == 0) {
        if (c->next != NULL)
            close(ends[0]);
        if (fd_move(in, 0) < 0 || fd_move(ends[1], 1) < 0)
            exit(complain("sh", "pipe"));
        run_command(c);
    }
    if (c->pid < 0)
        complain("sh", c->next == NULL || ends[0] > 0 ? "fork" : "pipe");
    if (in > 0)
        close(in);
    if (ends[1] > 1)
        close(ends[1]);
    if (c->pid < 0 && ends[0] > 0)
        close(ends[0]);
    return c->pid < 0 ? -1 : ends[0];
}

// Says what became of a command; quiet: unless it was killed.
static void report(const struct command *c, int status, bool quiet) {
    const char *name = c->body != NULL || c->argument_count == 0 ? "( )" : c->arguments[0];
    if (status == -1)
        fprintf(2, "%s: killed\n", name);
    else if (status != 0 && status != STATUS_NOT_RUN && status != STATUS_NOT_FOUND && !quiet)
        fprintf(2, "%s: exit status %d\n", name, status);
}

// Waits for the commands that were started. Returns the status of the last.
static int wait_all(const struct command *commands, int running, bool quiet) {
    int result = 1;
    while (running > 0) {
        int status;
        int pid = wait(&status);
        if (pid < 0)
            break;
        for (const struct command *c = commands; c != NULL; c = c->next) {
            if (c->pid != pid)
                continue;
            running--;
            report(c, status, quiet || c->next != NULL);
            if (c->next == NULL)
                result = status == -1 ? STATUS_KILLED : status;
        }
    }
    return result;
}

// quiet: what follows runs if this fails.
static int run_pipeline(const struct pipeline *line, bool quiet) {
    struct command *first = line->commands;
    if (is_builtin(first) && first->next == NULL && first->redirects == NULL)
        return run_builtin(first);
    int running = 0;
    int in = 0;
    for (struct command *c = first; c != NULL; c = c->next) {
        if (in >= 0)
            in = start_command(c, in);
        else
            c->pid = -1;
        running += c->pid > 0;
    }
    return wait_all(first, running, quiet || !interactive);
}

static int run_pipelines(const struct pipeline *line) {
    int status = last_status;
    for (; line != NULL; line = line->next) {
        bool tested = line->next != NULL && line->next->joint == RUN_IF_FAILED;
        if (line->joint == RUN_ALWAYS || (line->joint == RUN_IF_SUCCEEDED) == (status == 0))
            last_status = status = run_pipeline(line, tested);
    }
    return status;
}

// Runs the job in a grandchild, whose parent ends at once: nobody here waits for it, and it is out
// of Ctrl-C's reach. Its input is empty.
static int run_background(const struct job *job) {
    int ends[2];
    struct command middle = {.pid = fork()};
    if (middle.pid < 0)
        return complain("sh", "fork");
    if (middle.pid > 0)
        return wait_all(&middle, 1, true);
    int pid = fork();
    if (pid != 0)
        exit(pid < 0 ? complain("sh", "fork") : 0);
    interactive = false;
    if (pipe(ends) < 0)
        exit(complain("sh", "pipe"));
    close(ends[1]);
    fd_move(ends[0], 0);
    exit(run_pipelines(job->pipelines));
}

static int run_jobs(const struct job *jobs) {
    for (; jobs != NULL; jobs = jobs->next)
        last_status = jobs->background ? run_background(jobs) : run_pipelines(jobs->pipelines);
    return last_status;
}

// Text that grows by lines, as commands are read.
struct script {
    char *text;
    size_t length, size;
};

static int script_add(struct script *s, const char *bytes, size_t n) {
    if (s->length + n + 1 > s->size) {
        size_t size = 2 * (s->length + n) + 128;
        char *larger = realloc(s->text, size);
        if (larger == NULL)
            return -1;
        s->text = larger;
        s->size = size;
    }
    memcpy(s->text + s->length, bytes, n);
    s->length += n;
    s->text[s->length] = '\0';
    return 0;
}

// Adds the next line of fd 0, byte by byte, because the rest belongs to the commands. Returns 0 at
// the end, -1 on failure.
static int line_read(struct script *s) {
    char byte;
    int n;
    size_t start = s->length;
    do {
        n = read(0, &byte, 1);
        if (n < 0 || (n > 0 && script_add(s, &byte, 1) < 0))
            return -1;
    } while (n > 0 && byte != '\n');
    return s->length > start;
}

// The same with a line that is typed. One that is refused takes along what it was to complete.
static int line_prompt(struct script *s) {
    char line[LINE_BYTES + 1];
    enum prompt_result result = prompt_read(s->length > 0 ? "> " : "$ ", line);
    if (result == PROMPT_LINE)
        return script_add(s, line, strlen(strcat(line, "\n"))) < 0 ? -1 : 1;
    if (result == PROMPT_END)
        return 0;
    if (result == PROMPT_FAILED)
        return -1;
    last_status = result == PROMPT_DROPPED ? STATUS_INTERRUPTED : STATUS_WRONG;
    if (result == PROMPT_TOO_LONG)
        fprintf(2, "sh: not run: a line can have %d bytes\n", LINE_BYTES - 1);
    s->length = 0;
    return 1;
}

// Runs the text. Returns whether more has to follow for it to be complete.
static bool run_text(const char *text, bool at_end) {
    struct parse parse;
    enum parse_result result = command_parse(text, &parse);
    if (result == PARSE_DONE)
        last_status = run_jobs(parse.jobs);
    bool incomplete = result == PARSE_INCOMPLETE && !at_end;
    if (result != PARSE_DONE && !incomplete) {
        fprintf(2, "sh: %s\n", parse.message);
        last_status = STATUS_WRONG;
    }
    command_destroy(&parse);
    return incomplete;
}

// Reads commands from fd 0 and runs each as soon as it is complete.
static int run_input(void) {
    struct script script = {0};
    int more = 1;
    while (more > 0) {
        more = interactive ? line_prompt(&script) : line_read(&script);
        if (more < 0)
            complain("sh", "input");
        bool incomplete = script.length > 0 && run_text(script.text, more <= 0);
        if (!incomplete)
            script.length = 0;
    }
    return last_status;
}

// Runs the lines of a file, each command when it is complete.
static int run_file(const char *path) {
    char *text;
    int fd = open(path, O_RDONLY);
    int size = fd < 0 ? -1 : file_read(fd, &text);
    if (size < 0) {
        complain("sh", path);
        return STATUS_NOT_FOUND;
    }
    close(fd);
    text[size] = '\0';
    if (strlen(text) != (size_t)size) {
        fprintf(2, "sh: %s: not a text\n", path);
        return STATUS_NOT_RUN;
    }
    run_text(text, true);
    return last_status;
}

int main(int argc, char **argv) {
    int fd;
    while ((fd = open("/console", O_RDWR)) >= 0 && fd <= 2)
        ; // so that 0, 1 and 2 are in use
    if (fd > 2)
        close(fd);
    if (argc == 3 && strcmp(argv[1], "-c") == 0) {
        run_text(argv[2], true);
        return last_status;
    }
    if (argc == 2 && argv[1][0] != '-')
        return run_file(argv[1]);
    if (argc != 1)
        usage("sh [file | -c commands]");
    struct stat stat;
    interactive = fstat(0, &stat) == 0 && stat.type == T_DEVICE;
    return run_input();
}
