// Lines of cowmap: a letter, a frame and a count for each page.
#include "cowmap.h"

enum { LINE_BYTES = 256 };

struct line {
    char text[LINE_BYTES];
    size_t length, width; // colours have no width
};

const char *line_end(void) {
    return watching ? "\033[K\n" : "\n";
}

char mark_of(const struct pageinfo *p) {
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

void legend_print(void) {
    put_text("W writable  C copy-on-write  R read-only  X code  S shared (s: not written)%s",
             line_end());
    put_text(". not touched yet  80abc frame (+ and others)  xN references to the frame%s",
             line_end());
}

static void add_to_line(struct line *l, size_t place, const char *text, const char *colour) {
    for (; l->width < place; l->width++)
        l->text[l->length++] = ' ';
    const char *format = colour != NULL ? "\033[%sm%s\033[0m" : "%s%s";
    l->length += (size_t)snprintf(l->text + l->length, LINE_BYTES - l->length, format,
                                  colour != NULL ? colour : "", text);
    l->width += strlen(text);
}

void cells_print(const char *left, const struct pageinfo *cells, bool is_run) {
    struct line l = {0};
    add_to_line(&l, 0, left, NULL);
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
            add_to_line(&l, strlen(left) + 1 + i * COLUMN_WIDTH, cell,
                        coloured ? colour_of(mark) : NULL);
    }
    put_text("%s%s", l.text, line_end());
}

void heading_print(const char *left) {
    struct line l = {0};
    add_to_line(&l, 0, left, NULL);
    for (size_t i = 0; i < column_count; i++) {
        char title[COLUMN_WIDTH];
        snprintf(title, sizeof title, "%d %s", columns[i].process.pid, columns[i].process.name);
        add_to_line(&l, strlen(left) + 1 + i * COLUMN_WIDTH, title, NULL);
    }
    put_text("%s%s", l.text, line_end());
}
