// Where the shell's commands come from: the console, fd 0, a file.
#include "sh.h"

#include "prompt.h"

// Text that grows line by line, as commands are read.
struct script {
    char *text;
    size_t length, size;
};

static int add_to_script(struct script *s, const char *bytes, size_t n) {
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

// Adds the next line of fd 0, read byte by byte, because the rest belongs to the commands. Returns
// 0 at the end of the input, -1 on failure.
static int read_line(struct script *s) {
    char byte;
    int n;
    size_t start = s->length;
    do {
        n = read(0, &byte, 1);
        if (n < 0 || (n > 0 && add_to_script(s, &byte, 1) < 0))
            return -1;
    } while (n > 0 && byte != '\n');
    return s->length > start;
}

// As read_line, for a line that is typed. If it is dropped or too long, the lines that it was to
// complete are dropped, too.
static int prompt_line(struct script *s) {
    char line[LINE_BYTES + 1];
    enum prompt_result result = prompt_read(s->length > 0 ? "> " : "$ ", line);
    if (result == PROMPT_LINE)
        return add_to_script(s, line, strlen(strcat(line, "\n"))) < 0 ? -1 : 1;
    if (result == PROMPT_END)
        return 0;
    if (result == PROMPT_FAILED)
        return -1;
    last_status = result == PROMPT_DROPPED ? STATUS_INTERRUPTED : STATUS_WRONG;
    if (result == PROMPT_TOO_LONG)
        warn("line not run: it is longer than %d bytes", LINE_BYTES - 1);
    s->length = 0;
    return 1;
}

bool run_text(const char *text, bool at_end) {
    struct parse parse;
    enum parse_result result = command_parse(text, &parse);
    if (result == PARSE_DONE)
        last_status = run_jobs(parse.jobs);
    bool incomplete = result == PARSE_INCOMPLETE && !at_end;
    if (result != PARSE_DONE && !incomplete) {
        warn("%s", parse.message);
        last_status = STATUS_WRONG;
    }
    command_destroy(&parse);
    return incomplete;
}

int run_input(void) {
    struct script script = {0};
    int more = 1;
    while (more > 0) {
        more = interactive ? prompt_line(&script) : read_line(&script);
        if (more < 0)
            complain("input");
        bool incomplete = script.length > 0 && run_text(script.text, more <= 0);
        if (!incomplete)
            script.length = 0;
    }
    return last_status;
}

int run_file(const char *path) {
    char *text;
    int fd = open(path, O_RDONLY);
    int size = fd < 0 ? -1 : file_read(fd, &text);
    if (size < 0) {
        complain(path);
        return STATUS_NOT_FOUND;
    }
    close(fd);
    text[size] = '\0';
    if (strlen(text) != (size_t)size) {
        warn("%s: not a text file", path);
        return STATUS_NOT_RUN;
    }
    run_text(text, true);
    return last_status;
}
