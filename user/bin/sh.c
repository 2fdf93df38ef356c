// The shell: reads commands (lib/command.h describes the language), runs them in child processes
// and waits for them. Only cd and exit run in the shell itself. When a fork fails or memory runs
// out, it says so and continues with status 1.
//
//   sh            commands from fd 0, with a prompt if that is the console
//   sh file       commands from a file
//   sh -c text    commands from the text
#include "sh.h"

const char program_name[] = "sh";

bool interactive;
int last_status;

// Reads to the end of the file, so that the next write appends.
static void seek_to_end(int fd) {
    char buffer[512];
    struct stat stat;
    if (fstat(fd, &stat) < 0 || stat.type != T_FILE)
        return;
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

static int open_redirect(const struct redirect *r) {
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
        seek_to_end(fd);
    return fd;
}

static int redirect_all(const struct redirect *r) {
    for (; r != NULL; r = r->next) {
        int fd = open_redirect(r);
        if (fd < 0 || fd_move(fd, r->fd) < 0)
            return complain(r->target);
    }
    return 0;
}

// Becomes the program: one in the current directory, else one in the root.
static _Noreturn void run_program(char **arguments) {
    const char *name = arguments[0];
    char path[PATH_BYTES];
    exec(name, arguments);
    int reason = errno;
    if (strchr(name, '/') == NULL && path_join(path, sizeof path, "/", name) == 0) {
        exec(path, arguments);
        reason = reason == ENOENT || errno != ENOENT ? errno : reason;
    }
    warn("%s: %s", name, strerror(reason));
    exit(reason == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

static int run_cd(const struct command *c) {
    const char *directory = c->argument_count > 1 ? c->arguments[1] : "/";
    if (c->argument_count > 2) {
        fprintf(2, "usage: cd [directory]\n");
        return STATUS_WRONG;
    }
    if (chdir(directory) == 0)
        return 0;
    fprintf(2, "cd: %s: %s\n", directory, strerror(errno));
    return 1;
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

// Runs the command in the process that was forked for it.
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

// Starts the command with fd `in` as its input, which is closed here, and its output to a pipe if
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
            exit(complain("pipe"));
        run_command(c);
    }
    if (c->pid < 0)
        complain(c->next == NULL || ends[0] > 0 ? "fork" : "pipe");
    if (in > 0)
        close(in);
    if (ends[1] > 1)
        close(ends[1]);
    if (c->pid < 0 && ends[0] > 0)
        close(ends[0]);
    return c->pid < 0 ? -1 : ends[0];
}

// Reports how a command ended: if it was killed, and unless quiet, if it failed.
static void report(const struct command *c, int status, bool quiet) {
    const char *name = c->body != NULL || c->argument_count == 0 ? "( )" : c->arguments[0];
    if (status == -1)
        fprintf(2, "%s: killed\n", name);
    else if (status != 0 && status != STATUS_NOT_RUN && status != STATUS_NOT_FOUND && !quiet)
        fprintf(2, "%s: exit status %d\n", name, status);
}

// Waits for the commands that were started. Returns the status of the last one.
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

// quiet: what follows runs only if this fails.
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

// Runs the job in a grandchild whose parent ends at once: so the shell need not wait for it, and
// Ctrl-C does not reach it. Its input is empty.
static int run_background(const struct job *job) {
    int ends[2];
    struct command middle = {.pid = fork()};
    if (middle.pid < 0)
        return complain("fork");
    if (middle.pid > 0)
        return wait_all(&middle, 1, true);
    int pid = fork();
    if (pid != 0)
        exit(pid < 0 ? complain("fork") : 0);
    interactive = false;
    if (pipe(ends) < 0)
        exit(complain("pipe"));
    close(ends[1]);
    fd_move(ends[0], 0);
    exit(run_pipelines(job->pipelines));
}

int run_jobs(const struct job *jobs) {
    for (; jobs != NULL; jobs = jobs->next)
        last_status = jobs->background ? run_background(jobs) : run_pipelines(jobs->pipelines);
    return last_status;
}

int main(int argc, char **argv) {
    int fd;
    while ((fd = open("/console", O_RDWR)) >= 0 && fd <= 2)
        ; // makes sure that 0, 1 and 2 are open
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
