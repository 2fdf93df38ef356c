// Keys go in at a made-up serial port; lines come out of console_read and echo out of the port.
#include "test.h"

#include <string.h>

#include "dev/console.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "sched/task.h"

static void (*interrupt)(void);
static char keys[65536];
static size_t keys_start, keys_end;
static char sent[262144];
static size_t sent_count, sent_calls;
static int interrupts, lists;
static size_t keys_left_at_interrupt;

void plic_handle(unsigned irq, void (*handler)(void)) {
    CHECK_EQUAL(10, irq);
    interrupt = handler;
}

void uart_write(const char *text, size_t n) {
    CHECK(sent_count + n < sizeof sent);
    memcpy(sent + sent_count, text, n);
    sent_count += n;
    sent[sent_count] = '\0';
    sent_calls += n > 0;
}

size_t uart_read(char *to, size_t most) {
    size_t n = keys_end - keys_start < most ? keys_end - keys_start : most;
    memcpy(to, keys + keys_start, n);
    keys_start += n;
    return n;
}

static void hook_interrupt(void) {
    CHECK(may_sleep());
    interrupts++;
    keys_left_at_interrupt = keys_end - keys_start;
}

static void hook_list(void) {
    CHECK(may_sleep());
    lists++;
}

static void hook_reader(void) { CHECK(may_sleep()); }

static const struct console_hooks hooks = {hook_interrupt, hook_list, hook_reader};

static void type_bytes(const char *text, size_t n) {
    CHECK(n <= sizeof keys);
    memcpy(keys, text, n);
    keys_start = 0;
    keys_end = n;
    interrupt();
}

static void type(const char *text) {
    sent_count = sent_calls = 0;
    type_bytes(text, strlen(text));
}

// What the terminal's last line shows after what was sent.
static const char *screen(void) {
    static char shown[4096];
    size_t column = 0, width = 0;
    for (size_t i = 0; i < sent_count; i++) {
        char c = sent[i];
        if (c == '\b') {
            CHECK(column > 0);
            column--;
        } else if (c == '\n') {
            column = width = 0;
        } else if (c != '\a') {
            shown[column++] = c;
            width = column > width ? column : width;
        }
    }
    while (width > 0 && shown[width - 1] == ' ') width--;
    shown[width] = '\0';
    return shown;
}

static int read_up_to(char *to, size_t most) {
    struct spans s = spans_of(to, most);
    return console_read(&s);
}

#define CHECK_LINE(wanted) \
    do { \
        char line_[512]; \
        int n_ = read_up_to(line_, sizeof line_ - 1); \
        CHECK(n_ >= 0); \
        line_[n_] = '\0'; \
        CHECK_STRING(wanted, line_); \
    } while (0)

// Leaves nothing of the test before.
static void start(void) {
    console_init(10);
    console_set_hooks(&hooks);
    type("\003flush\n");
    CHECK_LINE("flush\n");
    interrupts = lists = 0;
    sent_count = sent_calls = 0;
}

#define LEFT "\033[D"
#define RIGHT "\033[C"
#define UP "\033[A"
#define DOWN "\033[B"

TEST(console_gives_one_line_a_read) {
    start();
    type("one\ntwo\r\n");
    CHECK_STRING("one\ntwo\n\n", sent);
    CHECK_EQUAL(1, sent_calls);
    CHECK_LINE("one\n");
    CHECK_LINE("two\n");
    CHECK_LINE("\n");
}

TEST(console_keeps_what_did_not_fit) {
    char part[4] = "";
    start();
    type("abcdef\n");
    CHECK_EQUAL(3, read_up_to(part, 3));
    CHECK_STRING("abc", part);
    CHECK_EQUAL(0, read_up_to(part, 0));
    CHECK_LINE("def\n");
}

TEST(console_edits) {
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
        {"bc\033[Ha\033[3~", "bca"},
        {"abxc" LEFT "\177", "abc"},
        {"abcd" LEFT LEFT "\027", "cd"},
        {"abcd" LEFT LEFT "\025", ""},
        {"a\033[15~b\033[1;5Cc\033xd\033[?25he", "abcde"},
        {"a\033\0331b", "ab"},
        {"a\007\016\002b", "ab"},
        {"\303\244\tb", "\303\244\tb"},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char line[64], shown[64];
        type(cases[i].typed);
        snprintf(shown, sizeof shown, "%s", cases[i].line);
        for (char *c = shown; *c; c++) *c = *c == '\t' ? ' ' : *c;
        for (size_t n = strlen(shown); n > 0 && shown[n - 1] == ' '; n--) shown[n - 1] = '\0';
        CHECK_STRING(shown, screen());
        snprintf(line, sizeof line, "%s\n", cases[i].line);
        type("\n");
        CHECK_LINE(line);
    }
}

TEST(console_key_is_one_write) {
    start();
    type("abc" LEFT LEFT);
    type("x");
    CHECK_EQUAL(1, sent_calls);
    CHECK_STRING("xbc\b\b", sent);
    type("\n");
    CHECK_STRING("bc\n", sent);
    CHECK_LINE("axbc\n");
}

TEST(console_ends_input) {
    char part[3];
    start();
    type("\004");
    CHECK_LINE("");
    type("some\004\004more\n\004");
    CHECK_LINE("some");
    CHECK_LINE("");
    CHECK_LINE("more\n");
    CHECK_LINE("");
    type("abcd\004e\n");
    CHECK_EQUAL(3, read_up_to(part, 3));
    CHECK_EQUAL(1, read_up_to(part, 1));
    CHECK_LINE("e\n");
}

TEST(console_ctrl_c_drops_the_line) {
    start();
    type("ready\nhalf a line\003rest\n");
    CHECK_EQUAL(1, interrupts);
    CHECK(strstr(sent, "half a line^C\nrest\n") != NULL);
    CHECK_LINE("ready\n");
    CHECK_LINE("rest\n");
    type("\020");
    CHECK_EQUAL(1, lists);
    type("a\033[\003b\n");
    CHECK_EQUAL(2, interrupts);
    CHECK_LINE("b\n");
}

TEST(console_recalls_lines) {
    start();
    type("first\nsecond\n\n");
    CHECK_LINE("first\n");
    CHECK_LINE("second\n");
    CHECK_LINE("\n");
    type("half" UP);
    CHECK_STRING("second", screen());
    type(UP UP "\n");
    CHECK_LINE("flush\n");
    type("half" UP UP UP DOWN DOWN "!" DOWN DOWN DOWN);
    CHECK_STRING("", screen());
    type(UP UP "\003");
    type(UP "\n");
    CHECK_LINE("flush\n");
    type("ended\004" UP "!\n");
    CHECK_LINE("ended");
    CHECK_LINE("ended!\n");
}

TEST(console_keeps_many_lines) {
    char line[32];
    start();
    for (int i = 0; i < 400; i++) {
        snprintf(line, sizeof line, "line%d\n", i);
        type(line);
        CHECK_LINE(line);
    }
    for (int i = 0; i < 300; i++) type(UP);
    type("\n");
    CHECK_LINE("line145\n");
}

TEST(console_refuses_more_than_a_line_holds) {
    char text[301], line[512];
    start();
    memset(text, 'x', 300);
    text[300] = '\0';
    type(text);
    CHECK_EQUAL(300, sent_count);
    CHECK_EQUAL('\a', sent[299]);
    type("\n");
    CHECK_EQUAL(257, read_up_to(line, sizeof line));
}

// What is pasted waits; what finds no room is refused as a whole line, with a bell.
TEST(console_keeps_what_is_pasted) {
    char text[16384] = "", line[32];
    size_t n = 0;
    start();
    for (int i = 0; i < 1000; i++) n += (size_t)snprintf(text + n, sizeof text - n, "l%03d\n", i);
    type(text);
    CHECK(strchr(sent, '\a') != NULL);
    for (int i = 0; i < 255; i++) {
        snprintf(line, sizeof line, "l%03d\n", i);
        CHECK_LINE(line);
    }
    type("after\n");
    CHECK_LINE("after\n");
}

static void read_and_check(void *wanted) { CHECK_LINE(wanted); }

static bool type_line(void) {
    type("typed\nlate\n");
    return true;
}

TEST(console_wakes_readers) {
    start();
    host_idle = type_line;
    host_task_start(read_and_check, "typed\n");
    host_task_wait_all();
    CHECK_LINE("late\n");
    host_idle = NULL;
}

static struct task *sleeper;

static void read_until_killed(void *unused) {
    char line[32];
    (void)unused;
    sleeper = task_self();
    CHECK_EQUAL(-4, read_up_to(line, sizeof line));
}

static bool kill_sleeper(void) {
    task_kill(sleeper);
    return true;
}

TEST(console_read_ends_when_killed) {
    start();
    host_idle = kill_sleeper;
    host_task_start(read_until_killed, NULL);
    host_task_wait_all();
    host_idle = NULL;
}

TEST(console_writes_spans_in_order) {
    static char big[10000];
    memset(big, 'y', sizeof big);
    start();
    struct spans s = {.size = 5 + sizeof big, .count = 3, .span = {{"ab", 2}, {big, sizeof big}, {"xyz", 3}}};
    CHECK_EQUAL(10005, console_write(&s));
    CHECK_EQUAL(10005, sent_count);
    CHECK(memcmp(sent, "abyy", 4) == 0 && memcmp(sent + 10000, "yyxyz", 5) == 0);
    CHECK(sent_calls <= 6);
}

// Random keys: every line comes out, the shown line is the one under edit.
TEST(console_survives_random_keys) {
    static const char *const pieces[] = {LEFT, RIGHT, UP,        DOWN, "\001", "\005",     "\025",      "\027", "\177",
                                         "a",  "bc ", "\033[3~", "x",  "y z",  "\303\244", "long word", "\004", "\n"};
    char line[512];
    start();
    for (int round = 0; round < 2000; round++) {
        sent_count = 0;
        for (int i = 0; i < 30; i++) {
            const char *piece = pieces[host_random(ARRAY_SIZE(pieces) - 2)];
            type_bytes(piece, strlen(piece));
        }
        snprintf(line, sizeof line, "%s", screen());
        type("\n");
        char got[512];
        int n = read_up_to(got, sizeof got);
        CHECK(n > 0 && got[n - 1] == '\n');
        for (n--; n > 0 && got[n - 1] == ' '; n--)
            ;
        got[n] = '\0';
        CHECK_STRING(line, got);
        for (int i = 0; i < 30; i++) {
            const char *piece = pieces[host_random(ARRAY_SIZE(pieces))];
            type_bytes(piece, strlen(piece));
        }
        sent_count = 0;
        // The last line is one that no arrow can have fetched.
        snprintf(line, sizeof line, "end%d\n", round);
        type("\n\003");
        type(line);
        do {
            n = read_up_to(got, sizeof got - 1);
            got[n] = '\0';
        } while (strcmp(got, line) != 0);
    }
}
