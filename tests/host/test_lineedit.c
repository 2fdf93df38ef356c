// The line editor draws on a small terminal; after each key the terminal must show what a plain
// model of the line, a list of characters and a place in it, says that it should. There are two
// kinds of terminals: one gives each emoji its columns, the other joins what belongs together.
#include "test.h"

#include <string.h>

#include "lib/lineedit.h"
#include "lib/utf8.h"

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define HOME "\033[H"
#define END "\033[F"
#define DELETE "\033[3~"
#define BACKSPACE "\177"

#define JOINER "\342\200\215"
#define MAN "\360\237\221\250"
#define WOMAN "\360\237\221\251"
#define GIRL "\360\237\221\247"
#define FAMILY MAN JOINER WOMAN JOINER GIRL
#define THUMB "\360\237\221\215"
#define TONE "\360\237\217\275"
#define FLAG_K "\360\237\207\260"
#define FLAG_R "\360\237\207\267"
#define KOREA FLAG_K FLAG_R
#define HEART "\342\235\244"
#define AS_EMOJI "\357\270\217" // U+FE0F, which makes some terminals show a wide heart

// ---- A terminal ----

enum { ROWS = 60, COLUMNS_MAX = 140, CELL_BYTES = 32 };

static struct {
    unsigned columns, row, column;
    bool pending; // the last column is written, the next character wraps
    char cells[ROWS][COLUMNS_MAX + 1][CELL_BYTES]; // "" in the right half of a wide character
    unsigned bells, questions, escapes;
} screen;

static bool joins; // the kind of terminal: what is one character takes the columns of one

static void cell_set(char cell[CELL_BYTES], const char *bytes, size_t n) {
    memset(cell, 0, CELL_BYTES);
    memcpy(cell, bytes, n);
}

static void clear_from(unsigned row, unsigned column) {
    for (; row < ROWS; row++, column = 0)
        for (; column < screen.columns; column++)
            cell_set(screen.cells[row][column], " ", 1);
}

static void screen_start(unsigned columns, unsigned row) {
    memset(&screen, 0, sizeof screen);
    screen.columns = columns;
    screen.row = row;
    clear_from(0, 0);
}

static void line_feed(void) {
    if (screen.row + 1 < ROWS) {
        screen.row++;
        return;
    }
    memmove(screen.cells[0], screen.cells[1], sizeof screen.cells - sizeof screen.cells[0]);
    clear_from(ROWS - 1, 0);
}

// A wide character of which one half is written over is gone.
static void cell_break(unsigned column) {
    char(*row)[CELL_BYTES] = screen.cells[screen.row];
    if (column > 0 && column < screen.columns && row[column][0] == '\0') {
        cell_set(row[column - 1], " ", 1);
        cell_set(row[column], " ", 1);
    }
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text);
    return n >= strlen(end) && strcmp(text + n - strlen(end), end) == 0;
}

static bool is_tone(const char *bytes) {
    return strncmp(bytes, TONE, 3) == 0 && (uint8_t)bytes[3] >= 0xbb;
}
static bool is_flag_letter(const char *bytes) {
    return strncmp(bytes, FLAG_K, 3) == 0 && (uint8_t)bytes[3] >= 0xa6;
}

// True if a terminal that joins puts these bytes into the cell before them.
static bool is_joined(const char *cell, bool is_wide, const char *bytes) {
    if (!joins)
        return false;
    if (is_flag_letter(bytes) && is_flag_letter(cell))
        return strlen(cell) == 4;
    return ends_with(cell, JOINER) || (is_tone(bytes) && is_wide);
}

// Adds to the cell before the cursor. That of a flag becomes wide, and that of U+FE0F.
static void cell_join(char (*row)[CELL_BYTES], const char *bytes, size_t n) {
    unsigned column = screen.column - !screen.pending;
    bool is_wide = row[column][0] == '\0';
    column -= is_wide;
    strncat(row[column], bytes, n);
    bool widens = is_flag_letter(bytes) || strncmp(bytes, AS_EMOJI, n) == 0;
    if (!joins || !widens || is_wide || screen.column + 1 >= screen.columns)
        return;
    cell_set(row[++screen.column - 1], "", 0);
}

// The character before the cursor, and whether it is wide.
static const char *cell_before(bool *is_wide) {
    unsigned column = screen.column - !screen.pending;
    *is_wide = screen.column > 0 && screen.cells[screen.row][column][0] == '\0';
    return screen.column > 0 ? screen.cells[screen.row][column - *is_wide] : "";
}

static void put_character(const char *bytes, size_t n, unsigned width) {
    char(*row)[CELL_BYTES] = screen.cells[screen.row];
    bool is_wide;
    const char *cell = cell_before(&is_wide);
    if (width == 0 || is_joined(cell, is_wide, bytes)) {
        CHECK(screen.column > 0);
        cell_join(row, bytes, n);
        return;
    }
    if (screen.pending || screen.column + width > screen.columns) {
        screen.column = 0;
        line_feed();
        row = screen.cells[screen.row];
    }
    cell_break(screen.column);
    cell_break(screen.column + width);
    cell_set(row[screen.column], bytes, n);
    if (width == 2)
        cell_set(row[screen.column + 1], "", 0);
    screen.column += width;
    screen.pending = screen.column == screen.columns;
    screen.column -= screen.pending;
}

static const char *put_sequence(const char *text) {
    unsigned number = 0;
    CHECK_EQUAL('[', text[1]);
    for (text += 2; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (unsigned)(*text - '0');
    CHECK(*text == 'J' || number > 0);
    screen.escapes++;
    if (*text == 'A')
        screen.row -= number;
    else if (*text == 'B')
        screen.row += number;
    else if (*text == 'C')
        screen.column += number;
    else if (*text == 'J' && number == 0)
        clear_from(screen.row, screen.column);
    else
        test_fail(__FILE__, __LINE__, "expected no other sequence, saw one that ends with %c",
                  *text);
    // Terminals differ in what these do when the cursor is at the right edge or would leave the
    // screen.
    CHECK(!screen.pending);
    CHECK(screen.row < ROWS && screen.column < screen.columns);
    return text + 1;
}

static char sent[65536];
static size_t sent_length;

static void screen_write(const char *text, size_t n) {
    CHECK(sent_length + n < sizeof sent);
    memcpy(sent + sent_length, text, n);
    sent_length += n;
}

static const char *put_other(const char *text, const char *end) {
    uint32_t character;
    int length = utf8_decode(text, (size_t)(end - text), &character);
    CHECK(length > 0 && !utf8_is_control(character));
    put_character(text, (size_t)length, utf8_width(character));
    return text + length;
}

// Shows what was sent.
static void screen_update(void) {
    const char *text = sent, *end = sent + sent_length;
    while (text < end) {
        if (*text == '\033') {
            text = put_sequence(text);
            continue;
        }
        if ((uint8_t)*text >= ' ') {
            text = put_other(text, end);
            continue;
        }
        CHECK(*text == '\a' || *text == '\b' || *text == '\n');
        screen.bells += *text == '\a';
        if (*text == '\b') {
            CHECK(!screen.pending && screen.column > 0);
            screen.column--;
        } else if (*text == '\n') { // as the console sends it
            screen.column = screen.pending = 0;
            line_feed();
        }
        text++;
    }
    sent_length = 0;
}

// ---- A model of the line ----

static struct {
    char characters[LINE_BYTES][CELL_BYTES]; // with those that combine
    size_t count, cursor;
} model;

static void model_erase(size_t from, size_t to) {
    memmove(model.characters[from], model.characters[to], (model.count - to) * CELL_BYTES);
    model.count -= to - from;
    model.cursor = from;
}

static size_t model_bytes(void) {
    size_t n = 0;
    for (size_t i = 0; i < model.count; i++)
        n += strlen(model.characters[i]);
    return n;
}

static unsigned width_of(const char *character) {
    uint32_t first;
    CHECK(utf8_decode(character, strlen(character), &first) > 0);
    return utf8_width(first);
}

static void model_insert(const char *character) {
    if (model_bytes() + strlen(character) >= LINE_BYTES)
        return;
    if (width_of(character) == 0) {
        if (model.cursor > 0)
            strcat(model.characters[model.cursor - 1], character);
        return;
    }
    memmove(model.characters[model.cursor + 1], model.characters[model.cursor],
            (model.count - model.cursor) * CELL_BYTES);
    strcpy(model.characters[model.cursor++], character);
    model.count++;
}

static size_t model_word_start(void) {
    size_t start = model.cursor;
    while (start > 0 && model.characters[start - 1][0] == ' ')
        start--;
    while (start > 0 && model.characters[start - 1][0] != ' ')
        start--;
    return start;
}

static void model_key(const char *key) {
    bool at_end = model.cursor == model.count;
    if (strcmp(key, LEFT) == 0)
        model.cursor -= model.cursor > 0;
    else if (strcmp(key, RIGHT) == 0)
        model.cursor += !at_end;
    else if (strcmp(key, HOME) == 0 || strcmp(key, "\001") == 0)
        model.cursor = 0;
    else if (strcmp(key, END) == 0 || strcmp(key, "\005") == 0)
        model.cursor = model.count;
    else if (strcmp(key, BACKSPACE) == 0)
        model_erase(model.cursor - (model.cursor > 0), model.cursor);
    else if (strcmp(key, DELETE) == 0)
        model_erase(model.cursor, model.cursor + !at_end);
    else if (strcmp(key, "\013") == 0)
        model_erase(model.cursor, model.count);
    else if (strcmp(key, "\025") == 0)
        model_erase(0, model.count);
    else if (strcmp(key, "\027") == 0)
        model_erase(model_word_start(), model.cursor);
    else
        model_insert(key);
}

// ---- The editor ----

static struct lineedit editor;
static bool answers; // the terminal tells its width
static char before[COLUMNS_MAX];

// A line behind that text, of which the editor knows only the last two columns.
static void line_start(unsigned columns, unsigned row, const char *prompt) {
    screen_start(columns, row);
    memset(&model, 0, sizeof model);
    strcpy(before, prompt);
    sent_length = 0;
    screen_write(prompt, strlen(prompt));
    screen_update();
    lineedit_init(&editor, screen_write);
    lineedit_start(&editor, 2);
    answers = true;
}

static void show(void) {
    lineedit_flush(&editor);
    screen_update();
}

static int type(const char *bytes, size_t n) {
    int key = KEY_NONE;
    for (size_t i = 0; i < n; i++) {
        if (lineedit_wants_size(&editor, bytes[i])) {
            show();
            screen.questions++;
            lineedit_set_size(&editor, answers ? screen.columns : 80,
                              answers ? (int)screen.column : -1);
            CHECK(!lineedit_wants_size(&editor, bytes[i]));
        }
        key = lineedit_key(&editor, bytes[i]);
    }
    show();
    return key;
}

#define TYPE(text) type(text, strlen(text))

// What is shown of a character: terminals do not agree in the columns of such as these.
static const char *shown(const char *character) {
    static const char *const forms[][2] = {
        {FAMILY, MAN WOMAN GIRL}, {THUMB TONE, THUMB}, {KOREA, "KR"}, {HEART AS_EMOJI, HEART}};
    static char text[2 * CELL_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        size_t n = strlen(forms[i][0]);
        if (strncmp(character, forms[i][0], n) != 0)
            continue;
        snprintf(text, sizeof text, "%s%s", forms[i][1],
                 character + n); // and what combines with it
        return text;
    }
    return character;
}

// The next place for a character of that width.
static void wrap(unsigned *row, unsigned *column, unsigned width) {
    if (*column + width <= screen.columns)
        return;
    ++*row;
    *column = 0;
}

static char wanted[ROWS][COLUMNS_MAX + 1][CELL_BYTES];

static void wanted_add(const char *text, unsigned *row, unsigned *column) {
    unsigned last = 0; // the column of the character before
    uint32_t character;
    for (int n; *text != '\0'; text += n) {
        n = utf8_decode(text, strlen(text), &character);
        unsigned width = utf8_width(character);
        if (width == 0) {
            strncat(wanted[*row][last], text, (size_t)n);
            continue;
        }
        wrap(row, column, width);
        CHECK(*row < ROWS);
        last = *column;
        cell_set(wanted[*row][last], text, (size_t)n);
        if (width == 2)
            cell_set(wanted[*row][last + 1], "", 0);
        *column += width;
    }
}

// Fills in what should be shown by a line that starts in that row, and where the cursor should be.
static void wanted_fill(unsigned row, unsigned *cursor_row, unsigned *cursor_column) {
    unsigned column = 0;
    size_t before_length = strlen(before);
    for (unsigned r = 0; r < ROWS; r++)
        for (unsigned c = 0; c < screen.columns; c++)
            cell_set(wanted[r][c], " ", 1);
    for (size_t i = 0; i < before_length; i++)
        wanted[row][column++][0] = before[i];
    for (size_t i = 0; i <= model.count; i++) {
        if (i == model.cursor) {
            *cursor_row = row;
            *cursor_column = column;
            wrap(cursor_row, cursor_column, 1);
        }
        if (i == model.count)
            break;
        wanted_add(shown(model.characters[i]), &row, &column);
    }
}

// The terminal shows the model's line, and nothing else.
static void check_screen(unsigned row) {
    unsigned cursor_row, cursor_column;
    wanted_fill(row, &cursor_row, &cursor_column);
    for (unsigned r = 0; r < ROWS; r++) {
        if (memcmp(wanted[r], screen.cells[r], screen.columns * sizeof wanted[r][0]) == 0)
            continue;
        for (unsigned c = 0; c < screen.columns; c++)
            CHECK_STRING(wanted[r][c], screen.cells[r][c]);
    }
    bool edge = screen.pending && editor.columns == 0;
    CHECK_EQUAL(cursor_row, screen.row + edge);
    CHECK_EQUAL(cursor_column, edge ? 0 : screen.column);
}

static void check_text(void) {
    char text[LINE_BYTES] = "";
    for (size_t i = 0; i < model.count; i++)
        strcat(text, model.characters[i]);
    CHECK_EQUAL(strlen(text), editor.length);
    CHECK(memcmp(text, editor.text, editor.length) == 0);
}

static void press(const char *key) {
    CHECK_EQUAL(KEY_NONE, TYPE(key));
    model_key(key);
    check_text();
}

static void check_line(const char *typed, const char *line) {
    line_start(80, 0, "$ ");
    TYPE(typed);
    editor.text[editor.length] = '\0';
    CHECK_STRING(line, editor.text);
}

static const char *const some_keys[] = {LEFT,
                                        LEFT,
                                        LEFT,
                                        LEFT,
                                        RIGHT,
                                        RIGHT,
                                        HOME,
                                        END,
                                        "\001",
                                        "\005",
                                        BACKSPACE,
                                        BACKSPACE,
                                        DELETE,
                                        "\013",
                                        "\025",
                                        "\027",
                                        "a",
                                        "b",
                                        " ",
                                        "0",
                                        "\303\244",
                                        "\352\260\200",
                                        "\353\202\230",
                                        "\353\213\244",
                                        "\360\237\230\200",
                                        "\314\201",
                                        "\343\202\231",
                                        "c",
                                        "d",
                                        " ",
                                        "\344\270\200",
                                        "e",
                                        "\352\260\200",
                                        "f",
                                        "g",
                                        "h",
                                        FAMILY,
                                        THUMB TONE,
                                        KOREA,
                                        HEART AS_EMOJI};

// Some typing, as people do: more in a row is inserted than moved.
static void press_some(unsigned row) {
    const char *key = some_keys[host_random(ARRAY_SIZE(some_keys))];
    bool erases_all = strcmp(key, "\025") == 0 || strcmp(key, "\013") == 0;
    if (erases_all && host_random(4) > 0)
        return;
    for (unsigned n = 1 + host_random(strlen(key) == 1 && key[0] >= ' ' ? 30 : 5); n > 0; n--) {
        // What combines may not fill a cell.
        bool combines = (uint8_t)key[0] > 0x7f && width_of(key) == 0;
        if (model_bytes() + CELL_BYTES > LINE_BYTES && strlen(key) > 4)
            return; // of which a part may fit
        if (combines &&
            (model.cursor == 0 || strlen(model.characters[model.cursor - 1]) > CELL_BYTES - 8))
            return;
        press(key);
        check_screen(row);
    }
}

static void check_random_keys(unsigned columns, const char *prompt, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        host_random_seed(columns * 1000 + round);
        line_start(columns, 0, prompt);
        if (columns < 20)
            lineedit_set_size(&editor, columns, (int)screen.column);
        for (unsigned i = 0; i < 60; i++)
            press_some(0);
    }
}

TEST(lineedit_shows_the_line_at_any_width) {
    static const unsigned widths[] = {10, 11, 13, 20, 21, 37, 40, 79, 80, 132};
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        joins = i % 2 != 0;
        check_random_keys(widths[i], "$ ", 3);
        joins = !joins;
        check_random_keys(widths[i], "$ ", 3);
    }
}

// What terminals join takes the same columns on each of them, and the line starts where it did.
TEST(lineedit_shows_emoji_alike_on_every_terminal) {
    static const char *const characters[] = {FAMILY, THUMB TONE, KOREA, HEART AS_EMOJI};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(characters); i++) {
        const char *character = characters[i / 2];
        joins = i % 2 != 0;
        line_start(40, 3, "$ ");
        for (const char *key = "echo abcdefghijkl"; *key; key++)
            press((char[]){*key, '\0'});
        press(character);
        press(character);
        check_screen(3);
        press(BACKSPACE);
        check_screen(3);
        press(HOME);
        check_screen(3);
        press(character);
        check_screen(3);
        for (unsigned n = 0; n < 30; n++) {
            press(n < 10 ? RIGHT : character);
            check_screen(3);
        }
        CHECK_EQUAL(1, screen.questions);
    }
}

TEST(lineedit_moves_over_whole_clusters) {
    static const char *const clusters[] = {FAMILY,
                                           THUMB TONE,
                                           KOREA,
                                           HEART AS_EMOJI,
                                           MAN TONE JOINER WOMAN TONE,
                                           FLAG_K "\314\201",
                                           "e\314\201"};
    char typed[128];
    char line[128];
    for (size_t i = 0; i < ARRAY_SIZE(clusters); i++) {
        const char *c = clusters[i];
        snprintf(typed, sizeof typed, "a%sb" LEFT LEFT "x", c);
        snprintf(line, sizeof line, "ax%sb", c);
        check_line(typed, line);
        snprintf(typed, sizeof typed, "a%sb" HOME RIGHT RIGHT "x", c);
        snprintf(line, sizeof line, "a%sxb", c);
        check_line(typed, line);
        snprintf(typed, sizeof typed, "a%sb" LEFT BACKSPACE, c);
        check_line(typed, "ab");
        snprintf(typed, sizeof typed, "a%sb" LEFT LEFT DELETE, c);
        check_line(typed, "ab");
    }
    check_line(KOREA KOREA FLAG_K BACKSPACE BACKSPACE, KOREA);
    check_line(KOREA HOME KOREA "x",
               KOREA "x" KOREA); // the first letter makes a flag with the next
    check_line(WOMAN HOME MAN JOINER GIRL "x", MAN JOINER GIRL "x" WOMAN);
    check_line(MAN JOINER "b" BACKSPACE, MAN JOINER); // joins emoji only
    check_line("a" TONE BACKSPACE, "a");              // one of its own
    check_line(TONE HOME THUMB "x", THUMB TONE "x");
}

// Something was printed before the prompt, and no newline.
TEST(lineedit_finds_where_the_line_starts) {
    for (unsigned columns = 20; columns < 50; columns++) {
        line_start(columns, 0, "output$ ");
        for (unsigned i = 0; i < columns - 1; i++)
            press("x");
        press(LEFT);
        for (unsigned i = 0; i < 60; i++)
            press_some(0);
    }
}

TEST(lineedit_scrolls) {
    line_start(40, ROWS - 1, "$ ");
    for (int i = 0; i < 100; i++)
        press("x");
    check_screen(ROWS - 3);
    for (int i = 0; i < 70; i++)
        press(LEFT);
    press("\352\260\200");
    check_screen(ROWS - 3);
    for (int i = 0; i < 15; i++)
        press("y");
    check_screen(ROWS - 3);
    press("y"); // to the right edge of the last row
    check_screen(ROWS - 4);
}

// Nothing is asked and no sequence is sent while a line is typed, however long, or a short one
// edited.
TEST(lineedit_asks_only_when_it_must) {
    line_start(40, 0, "$ ");
    TYPE("echo ac" LEFT "b" HOME END BACKSPACE BACKSPACE "\027");
    CHECK_EQUAL(0, screen.questions);
    TYPE("\025");
    for (int i = 0; i < 200; i++)
        TYPE("x");
    CHECK_EQUAL('\n', TYPE("\n"));
    CHECK_EQUAL(0, screen.questions);
    CHECK_EQUAL(0, screen.escapes);
    TYPE(BACKSPACE);
    CHECK_EQUAL(1, screen.questions);
    TYPE(LEFT LEFT LEFT "y\025");
    CHECK_EQUAL(1, screen.questions);
}

// Without an answer the terminal is taken for one of 80 columns, and nothing breaks.
TEST(lineedit_needs_no_answer) {
    for (unsigned round = 0; round < 10; round++) {
        host_random_seed(round);
        line_start(80, 0, "$ ");
        answers = false;
        for (unsigned i = 0; i < 60; i++)
            press_some(0);
    }
}

TEST(lineedit_survives_wrong_answers) {
    static const unsigned columns[] = {0, 1, 9, 10, 40, 9999};
    static const int found[] = {-1, 0, 5, 79, 9999};
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        for (size_t j = 0; j < ARRAY_SIZE(found); j++) {
            line_start(80, 0, "$ ");
            for (int k = 0; k < 100; k++)
                TYPE("x");
            lineedit_set_size(&editor, columns[i], found[j]);
            CHECK(editor.at.column < editor.columns);
        }
}

// ---- Keys ----

TEST(lineedit_knows_the_keys) {
    static const struct {
        const char *typed, *line;
    } cases[] = {
        {"abx\177c", "abc"},
        {"abx\bc", "abc"},
        {"\177\177ab", "ab"},
        {"wrong\025right", "right"},
        {"one two  three\027", "one two  "},
        {"one two  \027", "one "},
        {"\027\025x", "x"},
        {"ac" LEFT "b", "abc"},
        {"abc" LEFT LEFT LEFT LEFT RIGHT "x", "axbc"},
        {"abc" RIGHT RIGHT "d", "abcd"},
        {"bc\001a\005d", "abcd"},
        {"bc\033OD\033ODa\033OCd", "abdc"},
        {"abxc" LEFT BACKSPACE, "abc"},
        {"abcd" LEFT LEFT "\027", "cd"},
        {"abcd" LEFT LEFT "\025", ""},
        {"abcd" LEFT LEFT "\013", "ab"},
        {"bc\033[Ha\033[Fd", "abcd"},
        {"bc\033OHa\033OFd", "abcd"},
        {"bc\033[1~a\033[4~d", "abcd"},
        {"bc\033[7~a\033[8~d", "abcd"},
        {"abc\001\033[3~" DELETE DELETE DELETE "d", "d"},
        {"bc\033[1;5Ha\033[1;2Fd", "abcd"},
        {"bc\033[1;5D\033[1;5Da", "abc"},
        {"bc\033\033[Da", "bac"},
        {"\352\260\200\353\202\230\353\213\244" LEFT BACKSPACE, "\352\260\200\353\213\244"},
        {"e\314\201x" LEFT LEFT "y", "ye\314\201x"},
        {"e\314\201x" LEFT BACKSPACE, "x"},
        {"e\314\201x" HOME DELETE, "x"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_line(cases[i].typed, cases[i].line);
}

TEST(lineedit_swallows_unknown_sequences_whole) {
    static const char *const sequences[] = {
        "\033[15~",       "\033[1;2R",
        "\033[24;80R",    "\033x",
        "\033[?25h",      "\033OP",
        "\033[[A",        "\033[M !!",
        "\033[<0;1;2M",   "\033]11;rgb:0/0/0\033\\",
        "\033]2;title\a", "\033Pq\303\244#\033\\",
        "\033(B",         "\033[200~",
        "\033[5~",        "\033[>0c",
        "\033[ q",        "\033[99999999999999999~",
    };
    char typed[64];
    for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
        snprintf(typed, sizeof typed, "a%sb", sequences[i]);
        check_line(typed, "ab");
    }
    check_line("a\033[1\nb", "ab"); // a control character ends them
    CHECK_EQUAL('\n', TYPE("\033]0;\n"));
    check_line("a\033\303\244b", "a\303\244b");
    check_line("a\033[12\177b", "b");
}

TEST(lineedit_leaves_other_keys_to_its_caller) {
    line_start(80, 0, "$ ");
    CHECK_EQUAL('\r', TYPE("\r"));
    CHECK_EQUAL('\n', TYPE("\n"));
    CHECK_EQUAL('\t', TYPE("\t"));
    CHECK_EQUAL(3, TYPE("\003"));
    CHECK_EQUAL(4, TYPE("ab\004"));
    CHECK_EQUAL(12, TYPE("\014"));
    CHECK_EQUAL(KEY_UP, TYPE("\033[A"));
    CHECK_EQUAL(KEY_DOWN, TYPE("\033OB"));
    CHECK_EQUAL(2, editor.length);
}

TEST(lineedit_waits_for_the_whole_character) {
    line_start(80, 0, "$ ");
    type("\352", 1);
    type("\260", 1);
    CHECK_EQUAL(0, editor.length);
    CHECK_EQUAL(2, screen.column);
    type("\200", 1);
    CHECK_EQUAL(3, editor.length);
    CHECK_EQUAL(4, screen.column);
}

#define UNKNOWN "\357\277\275"

TEST(lineedit_shows_what_is_not_utf8) {
    check_line("a\377b", "a" UNKNOWN "b");
    check_line("a\200b", "a" UNKNOWN "b");
    check_line("a\352b", "a" UNKNOWN "b");
    check_line("a\352\260b", "a" UNKNOWN "b");
    check_line("a\352\260\303\244", "a" UNKNOWN "\303\244");
    check_line("a\355\240\200b", "a" UNKNOWN "b");
    check_line("a\300\257b", "a" UNKNOWN UNKNOWN "b");
    check_line("a\364\220\200\200b", "a" UNKNOWN "b");
    check_line("a\352\260" BACKSPACE "b", "ab");
    check_line("a\352" LEFT "b", "ab" UNKNOWN);
    check_line("a\302\233b", "ab"); // a control character
    check_line("\314\201a", "a");   // combines with nothing
    line_start(80, 0, "$ ");
    CHECK_EQUAL('\n', TYPE("\352\n"));
    CHECK_EQUAL(3, editor.length);
}

// Whatever comes, the text stays valid and the editor goes on.
TEST(lineedit_survives_random_bytes) {
    static const char likely[] = "\033[O;~1\352\260\200\314\201\n\025\001";
    line_start(80, 0, "$ ");
    for (int i = 0; i < 50000; i++) {
        char byte = (char)(host_random(3) == 0 ? likely[host_random(sizeof likely)]
                                               : (char)host_random(256));
        if (lineedit_wants_size(&editor, byte))
            lineedit_set_size(&editor, host_random(200), (int)host_random(200) - 1);
        lineedit_key(&editor, byte);
        CHECK(editor.length < LINE_BYTES && editor.cursor <= editor.length);
        CHECK(utf8_is_printable(editor.text, editor.length));
        CHECK(utf8_is_printable(editor.text, editor.cursor));
        editor.out_length = sent_length = 0;
        if (host_random(500) == 0)
            lineedit_start(&editor, host_random(100));
    }
}

TEST(lineedit_refuses_what_does_not_fit) {
    line_start(80, 0, "$ ");
    for (int i = 0; i < 511; i++)
        TYPE("x");
    CHECK(!editor.too_long);
    CHECK_EQUAL(0, screen.bells);
    TYPE("yyy");
    CHECK(editor.too_long);
    CHECK_EQUAL(3, screen.bells);
    CHECK_EQUAL(511, editor.length);
    TYPE(BACKSPACE); // what is missing is still missing
    CHECK(editor.too_long);
    TYPE("\025");
    CHECK(!editor.too_long);
}

TEST(lineedit_replaces_and_shows) {
    line_start(80, 0, "$ ");
    TYPE("ls fo bar" LEFT LEFT LEFT LEFT);
    lineedit_set_size(&editor, 80, (int)screen.column);
    lineedit_replace(&editor, 5, 5, "o.c", 3);
    show();
    CHECK_EQUAL(10, screen.column);
    const char *line = "ls foo.c bar";
    for (size_t i = 0; i < strlen(line); i++)
        CHECK_EQUAL(line[i], screen.cells[0][2 + i][0]);
    lineedit_print(&editor, "\nlist\n> ");
    lineedit_show(&editor, 2);
    show();
    CHECK_EQUAL(2, screen.row);
    CHECK_EQUAL(10, screen.column);
    for (size_t i = 0; i < strlen(line); i++)
        CHECK_EQUAL(line[i], screen.cells[2][2 + i][0]);
    lineedit_end(&editor);
    show();
    CHECK_EQUAL(14, screen.column);
}

// ---- Characters ----

TEST(utf8_widths) {
    static const struct {
        uint32_t character;
        unsigned width;
    } cases[] = {{'a', 1},    {0xe4, 1},    {0xad, 1},    {0x300, 0},   {0x36f, 0},   {0x370, 1},
                 {0x10ff, 1}, {0x1100, 2},  {0x115f, 2},  {0x1160, 0},  {0x11ff, 0},  {0x200d, 0},
                 {0x2e7f, 1}, {0x2e80, 2},  {0x3042, 2},  {0x3099, 0},  {0x4e00, 2},  {0xabff, 1},
                 {0xac00, 2}, {0xd7a3, 2},  {0xd7a4, 1},  {0xfe0f, 0},  {0xff01, 2},  {0xff61, 1},
                 {0xfffd, 1}, {0x1f600, 2}, {0x20000, 2}, {0x3fffd, 2}, {0x3fffe, 1}, {0x10ffff, 1},
                 {0xe01ef, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        CHECK_EQUAL(cases[i].width, utf8_width(cases[i].character));
    CHECK_EQUAL(7, utf8_columns("a\352\260\200b\353\202\230e\314\201", 11));
}

TEST(utf8_is_its_own_inverse) {
    for (uint32_t character = 0; character < 0x110000; character++) {
        char bytes[UTF8_BYTES_MAX];
        uint32_t again = 0;
        size_t n = utf8_encode(bytes, character);
        int length = utf8_decode(bytes, n, &again);
        if (character >= 0xd800 && character < 0xe000) {
            CHECK_EQUAL(-1, length);
            continue;
        }
        CHECK_EQUAL(n, length);
        CHECK_EQUAL(character, again);
        for (size_t part = 0; part < n; part++)
            CHECK_EQUAL(0, utf8_decode(bytes, part, &again));
    }
}
