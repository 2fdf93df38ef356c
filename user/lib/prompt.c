// The keys of lib/lineedit.h, and those that it leaves to us: Up and Down recall earlier lines, Tab
// completes, a second Tab lists the matches, Ctrl-L clears the screen.

#include "prompt.h"

#include "complete.h"
#include "cow6.h"
#include "lib/utf8.h"

enum {
    HISTORY_LINES = 101,
    LISTED_MAX = 200,
    LISTED_COLUMNS = NAME_BYTES + 3,
    COLUMNS_DEFAULT = 80
};

static struct lineedit edit;
static const char *prompt;
static bool tab_again; // the key before was Tab

// ---- History ----

// A ring of the last 100 lines and, while an older one is shown, the line that is being edited.
static char history[HISTORY_LINES][LINE_BYTES];
static size_t history_count; // lines read since the shell started
static size_t back;          // how many lines Up has gone back

static char *history_line(size_t number) {
    return history[number % HISTORY_LINES];
}

static void copy_line(char *to) {
    memcpy(to, edit.text, edit.length);
    to[edit.length] = '\0';
}

// Shows the line that is `to` lines back.
static void show_history(size_t to) {
    if (to > history_count || to >= HISTORY_LINES)
        return;
    if (back == 0)
        copy_line(history_line(history_count));
    if (edit.too_long)
        history_line(history_count)[0] = '\0'; // it would come back truncated
    back = to;
    const char *line = history_line(history_count - back);
    lineedit_replace(&edit, 0, edit.length, line, strlen(line));
    edit.too_long = false;
}

static void add_to_history(void) {
    char *line = history_line(history_count);
    copy_line(line);
    bool repeats = history_count > 0 && strcmp(line, history_line(history_count - 1)) == 0;
    if (edit.length > 0 && !repeats)
        history_count++;
}

// ---- Completion ----

static void find_size(void) {
    struct terminal t = {.columns = COLUMNS_DEFAULT, .column = -1};
    lineedit_flush(&edit);
    terminal(&t);
    lineedit_set_size(&edit, (unsigned)t.columns, t.column);
}

static void show_again(void) {
    lineedit_print(&edit, prompt);
    lineedit_show(&edit, (unsigned)strlen(prompt));
}

// The window may have another width than before.
static void clear_screen(void) {
    if (edit.columns != 0)
        find_size();
    lineedit_print(&edit, "\x1b[H\x1b[J");
    show_again();
}

// Writes the names row by row, then the line again.
static void list_names(const struct completion *c) {
    if (edit.columns == 0)
        find_size();
    size_t a_row = edit.columns > LISTED_COLUMNS ? edit.columns / LISTED_COLUMNS : 1;
    size_t cursor = edit.cursor;
    lineedit_end(&edit);
    edit.cursor = cursor;
    for (size_t i = 0; i < c->count && i < LISTED_MAX; i++) {
        const char *name = c->names[i];
        lineedit_print(&edit, i % a_row == 0 ? "\n" : "  ");
        lineedit_print(&edit, name);
        size_t columns = utf8_columns(name, strlen(name));
        if (completion_is_directory(c, i)) {
            lineedit_print(&edit, "/");
            columns++;
        }
        bool is_last = i % a_row == a_row - 1 || i == c->count - 1;
        for (; !is_last && columns < NAME_BYTES + 1; columns++)
            lineedit_print(&edit, " ");
    }
    lineedit_print(&edit, c->count > LISTED_MAX ? "\n...\n" : "\n");
    show_again();
}

static void handle_tab(void) {
    struct completion c;
    complete(edit.text, edit.cursor, &c);
    if (c.text[0] != '\0')
        lineedit_replace(&edit, edit.cursor, edit.cursor, c.text, strlen(c.text));
    else if (c.count > 1 && tab_again)
        list_names(&c);
    else
        lineedit_print(&edit, "\a");
    tab_again = true;
    completion_destroy(&c);
}

// ---- Keys ----

static void write_out(const char *text, size_t n) {
    write_all(2, text, n);
}

// Returns false if the key ends the line, with the result in *result.
static bool handle_key(int key, enum prompt_result *result) {
    tab_again &= key == '\t';
    switch (key) {
    case '\t':
        handle_tab();
        break;
    case KEY_UP:
        show_history(back + 1);
        break;
    case KEY_DOWN:
        if (back > 0)
            show_history(back - 1);
        break;
    case CTRL('L'):
        clear_screen();
        break;
    case CTRL('P'):
        show_again();
        break;
    case '\r':
    case '\n':
        *result = edit.too_long ? PROMPT_TOO_LONG : PROMPT_LINE;
        return false;
    case CTRL('C'):
        *result = PROMPT_DROPPED;
        return false;
    case CTRL('D'):
        *result = PROMPT_END;
        if (edit.length == 0)
            return false;
        lineedit_delete(&edit);
        break;
    }
    return true;
}

enum prompt_result prompt_read(const char *text, char line[LINE_BYTES]) {
    enum prompt_result result = PROMPT_LINE;
    bool continues = true;
    prompt = text;
    back = 0;
    tab_again = false;
    lineedit_init(&edit, write_out);
    lineedit_start(&edit, (unsigned)strlen(prompt));
    int byte = getkey(0); // from before the prompt is shown on, Ctrl-C must be a key
    lineedit_print(&edit, prompt);
    while (continues) {
        lineedit_flush(&edit);
        if (byte < 0)
            byte = getkey(-1);
        if (byte < 0)
            return PROMPT_FAILED;
        if (lineedit_wants_size(&edit, (char)byte))
            find_size();
        continues = handle_key(lineedit_key(&edit, (char)byte), &result);
        byte = -1;
    }
    lineedit_end(&edit);
    lineedit_print(&edit, result == PROMPT_DROPPED ? "^C\n" : "\n");
    lineedit_flush(&edit);
    copy_line(line);
    if (result == PROMPT_LINE)
        add_to_history();
    return result;
}
