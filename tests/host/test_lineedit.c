// After each key, the terminal must show what a plain model of the line, a list of characters and a
// cursor, says that it should.
#include "test.h"

#include <string.h>

#include "lib/lineedit.h"
#include "lib/utf8.h"
#include "screen.h"

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define HOME "\033[H"
#define END "\033[F"
#define DELETE "\033[3~"
#define BACKSPACE "\177"

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

// Starts a line after that text, of which the editor knows only the last two columns.
static void line_start(unsigned columns, unsigned row, const char *prompt) {
    screen_start(columns, row);
    memset(&model, 0, sizeof model);
    strcpy(before, prompt);
    screen_drop();
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

// What is shown of a character. Terminals do not agree on the columns of these.
static const char *shown(const char *character) {
    static const char *const forms[][2] = {
        {FAMILY, MAN WOMAN GIRL}, {THUMB TONE, THUMB}, {KOREA, "KR"}, {HEART AS_EMOJI, HEART}};
    static char text[2 * CELL_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        size_t n = strlen(forms[i][0]);
        if (strncmp(character, forms[i][0], n) != 0)
            continue;
        const char *combining = character + n;
        snprintf(text, sizeof text, "%s%s", forms[i][1], combining);
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

static char expected[ROWS][COLUMNS_MAX + 1][CELL_BYTES];

static void expect_text(const char *text, unsigned *row, unsigned *column) {
    unsigned last = 0; // the column of the character before
    uint32_t character;
    for (int n; *text != '\0'; text += n) {
        n = utf8_decode(text, strlen(text), &character);
        unsigned width = utf8_width(character);
        if (width == 0) {
            strncat(expected[*row][last], text, (size_t)n);
            continue;
        }
        wrap(row, column, width);
        CHECK(*row < ROWS);
        last = *column;
        cell_set(expected[*row][last], text, (size_t)n);
        if (width == 2)
            cell_set(expected[*row][last + 1], "", 0);
        *column += width;
    }
}

// Fills in what a line that starts in that row should show, and where the cursor should be.
static void expect_line(unsigned row, unsigned *cursor_row, unsigned *cursor_column) {
    unsigned column = 0;
    size_t before_length = strlen(before);
    for (unsigned r = 0; r < ROWS; r++) {
        for (unsigned c = 0; c < screen.columns; c++)
            cell_set(expected[r][c], " ", 1);
    }
    for (size_t i = 0; i < before_length; i++)
        expected[row][column++][0] = before[i];
    for (size_t i = 0; i <= model.count; i++) {
        if (i == model.cursor) {
            *cursor_row = row;
            *cursor_column = column;
            wrap(cursor_row, cursor_column, 1);
        }
        if (i == model.count)
            break;
        expect_text(shown(model.characters[i]), &row, &column);
    }
}

// Checks that the terminal shows the model's line and nothing else.
static void check_screen(unsigned row) {
    unsigned cursor_row, cursor_column;
    expect_line(row, &cursor_row, &cursor_column);
    for (unsigned r = 0; r < ROWS; r++) {
        if (memcmp(expected[r], screen.cells[r], screen.columns * sizeof expected[r][0]) == 0)
            continue;
        for (unsigned c = 0; c < screen.columns; c++)
            CHECK_STRING(expected[r][c], screen.cells[r][c]);
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

// clang-format off
static const char *const some_keys[] = {
    LEFT, LEFT, LEFT, LEFT, RIGHT, RIGHT, HOME, END, "\001", "\005",
    BACKSPACE, BACKSPACE, DELETE, "\013", "\025", "\027", "a", "b", " ", "0",
    "\303\244", "\352\260\200", "\353\202\230", "\353\213\244", "\360\237\230\200",
    "\314\201", "\343\202\231", "c", "d", " ", "\344\270\200", "e", "\352\260\200", "f", "g", "h",
    FAMILY, THUMB TONE, KOREA, HEART AS_EMOJI,
};
// clang-format on

// Types as people do: inserts more characters in a row than it moves.
static void press_some(unsigned row) {
    const char *key = some_keys[host_random(ARRAY_SIZE(some_keys))];
    bool erases_all = strcmp(key, "\025") == 0 || strcmp(key, "\013") == 0;
    if (erases_all && host_random(4) > 0)
        return;
    for (unsigned n = 1 + host_random(strlen(key) == 1 && key[0] >= ' ' ? 30 : 5); n > 0; n--) {
        // Combining characters must not fill a cell.
        bool combines = (uint8_t)key[0] > 0x7f && width_of(key) == 0;
        if (model_bytes() + CELL_BYTES > LINE_BYTES && strlen(key) > 4)
            return; // a part of it may fit
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
        screen_joins = i % 2 != 0;
        check_random_keys(widths[i], "$ ", 3);
        screen_joins = !screen_joins;
        check_random_keys(widths[i], "$ ", 3);
    }
}

// Joined emoji take the same columns on both kinds, and the start of the line does not move.
TEST(lineedit_shows_emoji_alike_on_every_terminal) {
    static const char *const characters[] = {FAMILY, THUMB TONE, KOREA, HEART AS_EMOJI};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(characters); i++) {
        const char *character = characters[i / 2];
        screen_joins = i % 2 != 0;
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
    check_line(KOREA HOME KOREA "x", KOREA "x" KOREA); // two letters, then two: two flags
    check_line(WOMAN HOME MAN JOINER GIRL "x", MAN JOINER GIRL "x" WOMAN);
    check_line(MAN JOINER "b" BACKSPACE, MAN JOINER); // joins emoji only
    check_line("a" TONE BACKSPACE, "a");              // a cluster of its own
    check_line(TONE HOME THUMB "x", THUMB TONE "x");
}

// Something is printed before the prompt, without a newline.
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

// While a line of any length is typed, or a short line is edited, nothing is asked and no sequence
// is sent.
TEST(lineedit_asks_for_the_width_only_when_needed) {
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

// Without an answer the editor assumes 80 columns, and nothing breaks.
TEST(lineedit_works_without_an_answer) {
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
    for (size_t i = 0; i < ARRAY_SIZE(columns) * ARRAY_SIZE(found); i++) {
        line_start(80, 0, "$ ");
        for (int k = 0; k < 100; k++)
            TYPE("x");
        lineedit_set_size(&editor, columns[i % ARRAY_SIZE(columns)],
                          found[i / ARRAY_SIZE(columns)]);
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

TEST(lineedit_drops_unknown_sequences_whole) {
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

TEST(lineedit_waits_for_whole_characters) {
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

TEST(lineedit_shows_invalid_utf8_as_unknown) {
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

// Whatever bytes come, the text stays valid.
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
        editor.out_length = 0;
        screen_drop();
        if (host_random(500) == 0)
            lineedit_start(&editor, host_random(100));
    }
}

TEST(lineedit_refuses_text_that_does_not_fit) {
    line_start(80, 0, "$ ");
    for (int i = 0; i < 511; i++)
        TYPE("x");
    CHECK(!editor.too_long);
    CHECK_EQUAL(0, screen.bells);
    TYPE("yyy");
    CHECK(editor.too_long);
    CHECK_EQUAL(3, screen.bells);
    CHECK_EQUAL(511, editor.length);
    TYPE(BACKSPACE); // a part of the line is still missing
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
