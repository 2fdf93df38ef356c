// Completion.

#include "complete.h"

#include "cow6.h"
#include "lib/utf8.h"

static const char *const builtins[] = {"cd", "exit"};

// The word before the cursor.
struct word {
    char text[PATH_BYTES]; // without quotes; truncated if it does not fit, and then no file matches
    size_t length;
    char quote;                 // the open quote, or 0
    bool started;               // there is a word
    bool is_command, is_target; // it is where a command is expected; after < or >
};

static void add_to_word(struct word *w, char c) {
    w->started = true;
    if (w->length + 1 < sizeof w->text)
        w->text[w->length++] = c;
    w->text[w->length] = '\0';
}

// Starts anew, after a word or before one.
static void reset_word(struct word *w, bool is_command) {
    *w = (struct word){.is_command = is_command};
}

// Takes a character that is not quoted.
static void take_character(struct word *w, char c) {
    if (char_is_space(c)) {
        if (w->started)
            reset_word(w, w->is_command && w->is_target);
    } else if (strchr(";&|()", c) != NULL) {
        reset_word(w, true);
    } else if (c == '<' || c == '>') {
        bool was_command = w->is_command;
        reset_word(w, was_command);
        w->is_target = true;
    } else if (c == '\'' || c == '"') {
        w->quote = c;
        w->started = true;
    } else {
        add_to_word(w, c);
    }
}

static void find_word(struct word *w, const char *text, size_t cursor) {
    reset_word(w, true);
    for (size_t i = 0; i < cursor; i++) {
        bool escaped = text[i] == '\\' && w->quote != '\'' && i + 1 < cursor;
        if (escaped)
            add_to_word(w, text[++i]);
        else if (w->quote != 0 && text[i] == w->quote)
            w->quote = 0;
        else if (w->quote != 0)
            add_to_word(w, text[i]);
        else
            take_character(w, text[i]);
    }
}

static bool begins_with(const char *name, const char *start) {
    return strncmp(name, start, strlen(start)) == 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

// Copies the names that begin with `start`; for a command, only those of programs.
static void choose(struct completion *c, char **names, size_t count, const char *start,
                   bool is_command) {
    size_t builtin_count = is_command ? ARRAY_SIZE(builtins) : 0;
    c->names = malloc((count + builtin_count) * (sizeof *names + NAME_BYTES + 1));
    if (c->names == NULL)
        return;
    char *text = (char *)(c->names + count + builtin_count);
    for (size_t i = 0; i < count + builtin_count; i++) {
        const char *name = i < count ? names[i] : builtins[i - count];
        if (!begins_with(name, start) || !utf8_is_printable(name, strlen(name)))
            continue;
        if (is_command && i < count && !is_program("/", name))
            continue;
        c->names[c->count++] = string_copy(text, name, NAME_BYTES + 1);
        text += NAME_BYTES + 1;
    }
    pointers_sort((void **)c->names, c->count, compare);
}

// How many bytes all names have in common.
static size_t common_length(const struct completion *c) {
    size_t length = strlen(c->names[0]);
    for (size_t i = 1; i < c->count; i++)
        for (size_t j = 0; j < length; j++)
            if (c->names[i][j] != c->names[0][j])
                length = j;
    while (((uint8_t)c->names[0][length] & 0xc0) == 0x80)
        length--; // do not split a character
    return length;
}

bool completion_is_directory(const struct completion *c, size_t i) {
    char path[PATH_BYTES];
    struct stat s;
    return path_join(path, sizeof path, c->directory, c->names[i]) == 0 && stat(path, &s) == 0 &&
           s.type == T_DIR;
}

// Sets the text to be inserted, quoted as the word is.
static void fill_text(struct completion *c, const struct word *w, size_t typed) {
    size_t n = 0;
    size_t length = common_length(c);
    for (size_t i = typed; i < length; i++) {
        char byte = c->names[0][i];
        bool is_special = w->quote == 0 && strchr(" ;&|()<>'\"\\#", byte) != NULL;
        is_special |= w->quote == '"' && (byte == '"' || byte == '\\');
        if (is_special)
            c->text[n++] = '\\';
        c->text[n++] = byte;
    }
    if (c->count == 1 && completion_is_directory(c, 0)) {
        c->text[n++] = '/';
    } else if (c->count == 1) {
        if (w->quote != 0)
            c->text[n++] = w->quote;
        c->text[n++] = ' ';
    }
    c->text[n] = '\0';
}

void complete(const char *text, size_t cursor, struct completion *c) {
    struct word w;
    *c = (struct completion){0};
    find_word(&w, text, cursor);
    const char *start = path_base(w.text);
    bool is_command = w.is_command && !w.is_target && start == w.text;
    string_copy(c->directory, w.text, (size_t)(start - w.text) + 1);
    if (start == w.text)
        strcpy(c->directory, is_command ? "/" : ".");
    int fd = open(c->directory, O_RDONLY);
    struct stat s;
    size_t count;
    char **names =
        fd >= 0 && fstat(fd, &s) == 0 && s.type == T_DIR ? directory_names(fd, &count) : NULL;
    if (fd >= 0)
        close(fd);
    if (names == NULL)
        return;
    choose(c, names, count, start, is_command);
    free(names);
    if (c->count > 0)
        fill_text(c, &w, strlen(start));
}

void completion_destroy(struct completion *c) {
    free(c->names);
}
