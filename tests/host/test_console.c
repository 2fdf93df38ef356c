// Keys go in at a fake serial port; lines and keys come out of the console's calls, and the echo
// out of the port. test_lineedit.c tests what editing does, test_terminal.c what the terminal is
// asked.
#include <string.h>

#include "console_port.h"
#include "dev/console.h"

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

// ---- Lines ----

TEST(console_returns_one_line_per_read) {
    start();
    type("one\ntwo\r\n");
    CHECK_LINE("one\n");
    CHECK(!wanted_keys);
    CHECK_LINE("two\n");
    CHECK_LINE("\n");
    CHECK_STRING("one\ntwo\n\n", sent);
}

// Keys typed ahead are shown when they are read, as if they were typed then.
TEST(console_echoes_only_what_is_read) {
    start();
    type("ahead\nhalf");
    write_text("output\n");
    CHECK_STRING("output\n", sent);
    write_text("? ");
    CHECK_LINE("ahead\n");
    CHECK_STRING("output\n? ahead\n", sent);
}

TEST(console_keeps_the_rest_of_a_line) {
    char part[4] = "";
    start();
    type("abcdef\n");
    CHECK_EQUAL(3, read_up_to(part, 3));
    CHECK_STRING("abc", part);
    CHECK_EQUAL(0, read_up_to(part, 0));
    CHECK_LINE("def\n");
}

TEST(console_edits_lines) {
    start();
    type("abX\177c\tx\n\352\260\200\353\202\230\353\213\244\033[D\177\n");
    CHECK_LINE("abc\tx\n");
    forget_sent();
    CHECK_LINE("\352\260\200\353\213\244\n");
    CHECK_STRING("\352\260\200\353\202\230\353\213\244\b\b\b\b\353\213\244  \b\b\b\b\353\213\244\n",
                 sent);
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

// A part of the line is missing: neither Enter nor Ctrl-D passes it to a program.
TEST(console_refuses_too_long_lines) {
    static char text[600];
    memset(text, 'z', sizeof text - 1);
    start();
    type(text);
    type("\n");
    type(text);
    type("\004next\n");
    CHECK_LINE("next\n");
    CHECK(ends_with(sent, "\a\nconsole: line not read: it is longer than 511 bytes\nnext\n"));
    type(text + 599 - 511);
    type("\n");
    text[511] = '\n';
    text[512] = '\0';
    CHECK_LINE(text);
}

TEST(console_refuses_readers_that_the_hook_refuses) {
    char byte;
    start();
    refuses = true;
    CHECK_EQUAL(-EIO, read_up_to(&byte, 1));
    CHECK_EQUAL(-EIO, console_getkey(-1));
}

static int refusals;

static void read_and_be_refused(void *reads_keys) {
    char byte;
    CHECK_EQUAL(-EIO, reads_keys != NULL ? console_getkey(-1) : read_up_to(&byte, 1));
    refusals++;
}

static bool refuse_and_type(void) {
    if (refuses)
        return false;
    refuses = true;
    type("for others\n");
    return true;
}

static bool refuse_and_wake(void) {
    if (refuses)
        return false;
    refuses = true;
    console_wake_readers();
    return true;
}

// A job that waits for keys moves to the background: its read fails at once, and it gets no key.
TEST(console_refuses_readers_that_wait_already) {
    static bool (*const ways[])(void) = {refuse_and_type, refuse_and_wake};
    for (int way = 0; way < 2; way++) {
        start();
        refusals = 0;
        host_idle = ways[way];
        host_task_start(read_and_be_refused, NULL);
        host_task_start(read_and_be_refused, &refusals);
        host_task_wait_all();
        CHECK_EQUAL(2, refusals);
        refuses = false;
        if (way == 0)
            CHECK_LINE("for others\n");
    }
}

// ---- Keys ----

TEST(console_returns_keys_unchanged) {
    start();
    type("a\033[A\377\n\004\t");
    for (const char *key = "a\033[A\377\n\004\t"; *key; key++)
        CHECK_EQUAL((uint8_t)*key, console_getkey(-1));
    CHECK(wanted_keys);
    CHECK_EQUAL(0, sent_count);
}

static bool tick(void) {
    ticks++;
    type(ticks == 25 ? "late" : "");
    return true;
}

static void get_with_limits(void *unused) {
    (void)unused;
    CHECK_EQUAL(-EAGAIN, console_getkey(0));
    CHECK_EQUAL(0, ticks);
    CHECK_EQUAL(-EAGAIN, console_getkey(7));
    CHECK_EQUAL(7, ticks);
    CHECK_EQUAL('l', console_getkey(100));
    CHECK_EQUAL(25, ticks);
    CHECK_EQUAL('a', console_getkey(0));
}

TEST(console_waits_for_a_key_until_the_timeout) {
    start();
    host_idle = tick;
    host_task_start(get_with_limits, NULL);
    host_task_wait_all();
}

static void read_until_killed(void *unused) {
    char line[32];
    (void)unused;
    sleeper = task_self();
    CHECK_EQUAL(-EINTR, read_up_to(line, sizeof line));
}

static void getkey_until_killed(void *unused) {
    (void)unused;
    sleeper = task_self();
    CHECK_EQUAL(-EINTR, console_getkey(-1));
}

TEST(console_reads_end_when_killed) {
    start();
    host_idle = kill_sleeper;
    host_task_start(read_until_killed, NULL);
    host_task_wait_all();
    host_task_start(getkey_until_killed, NULL);
    host_task_wait_all();
}

static bool type_half(void) {
    static bool typed;
    if (!typed) {
        typed = true;
        type("half\303\244");
        return true;
    }
    return kill_sleeper();
}

// A reader that is killed leaves its half of a line to the next reader, of whichever kind; so does
// a reader that has taken only a part.
TEST(console_passes_on_half_a_line) {
    char part[3];
    start();
    host_idle = type_half;
    host_task_start(read_until_killed, NULL);
    host_task_wait_all();
    CHECK_EQUAL('h', console_getkey(-1));
    type("x\n");
    for (const char *key = "alf\303\244x\n"; *key; key++)
        CHECK_EQUAL((uint8_t)*key, console_getkey(-1));
    type("abcde\nf\004\004");
    CHECK_EQUAL(3, read_up_to(part, 3));
    CHECK_EQUAL('d', console_getkey(-1));
    CHECK_LINE("e\n");
    CHECK_LINE("f");
    CHECK_EQUAL(4, console_getkey(-1));
}

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
}

static int lines_read;

static void read_some_line(void *unused) {
    char line[32];
    (void)unused;
    int n = read_up_to(line, sizeof line);
    CHECK(n == 4 && memcmp(line, "line", 3) == 0 && line[3] == '\n');
    lines_read++;
}

static bool type_key(void) {
    static unsigned typed;
    type_bytes(&"lin\n"[typed++ % 4], 1);
    return true;
}

TEST(console_gives_each_reader_whole_lines) {
    start();
    host_idle = type_key;
    for (int i = 0; i < 20; i++)
        host_task_start(read_some_line, NULL);
    host_task_wait_all();
    CHECK_EQUAL(20, lines_read);
}

// ---- Type-ahead ----

TEST(console_keeps_64_kibibytes) {
    static char text[65536];
    start();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 64 == 63 ? '\n' : 'x';
    type_bytes(text, sizeof text);
    CHECK_EQUAL(0, sent_count);
    for (size_t i = 0; i < sizeof text; i++)
        CHECK_EQUAL(text[i], console_getkey(-1));
}

// If there is no room, whole lines are refused, with a bell, so that no shortened line is run.
// Earlier lines are kept.
TEST(console_refuses_whole_lines) {
    static char text[70000];
    size_t n = 0;
    start();
    for (int i = 0; i < 11000; i++)
        n += (size_t)sprintf(text + n, "%05d\n", i % 100000);
    type(text);
    CHECK(sent_count > 0 && strspn(sent, "\a") == sent_count);
    for (int i = 0; i < 65536 / 6; i++) {
        char line[32];
        sprintf(line, "%05d\n", i);
        CHECK_LINE(line);
    }
    type("after\n");
    CHECK_LINE("after\n");
    memset(text, 'x', sizeof text - 1);
    type("kept\n");
    type(text);
    type("y\nnext\n");
    CHECK_LINE("kept\n");
    CHECK_LINE("next\n");
}

// ---- Ctrl-C and Ctrl-P ----

TEST(console_ctrl_c_drops_what_was_typed) {
    start();
    job_runs = true;
    type("ready\nhalf a line\003rest\n");
    CHECK_EQUAL(1, interrupts);
    CHECK_LINE("rest\n");
    type("a\033[\003b\n");
    CHECK_EQUAL(2, interrupts);
    CHECK_LINE("b\n");
    CHECK_STRING("rest\nb\n", sent);
}

// With nothing to end, Ctrl-C is a key. A reader of lines gets an empty line.
TEST(console_ctrl_c_reaches_readers) {
    start();
    type("half\003");
    CHECK_EQUAL(3, console_getkey(-1));
    type("half\003");
    CHECK_LINE("\n");
    CHECK_STRING("^C\n", sent);
}

static bool interrupt_half_a_line(void) {
    type(sent_count == 0 ? "half a line\033[D" : "\003rest\n");
    return true;
}

TEST(console_ctrl_c_drops_the_line_under_edit) {
    start();
    job_runs = true;
    host_idle = interrupt_half_a_line;
    host_task_start(read_and_check, "rest\n");
    host_task_wait_all();
    CHECK_STRING("half a line\berest\n", sent);
}

static int keys_got[8];
static unsigned keys_got_count;

static void get_two_keys(void *unused) {
    (void)unused;
    for (int i = 0; i < 2; i++)
        keys_got[keys_got_count++] = console_getkey(-1);
}

static bool type_ctrl_p(void) {
    type("\020x");
    return true;
}

// Ctrl-P is also a key for a reader that waits, which can show its line again. Typed ahead, it
// would come too late for that.
TEST(console_ctrl_p_lists) {
    start();
    type("\020a");
    CHECK_EQUAL(1, lists);
    CHECK_EQUAL('a', console_getkey(-1));
    host_idle = type_ctrl_p;
    host_task_start(get_two_keys, NULL);
    host_task_wait_all();
    CHECK_EQUAL(2, lists);
    CHECK_EQUAL(020, keys_got[0]);
    CHECK_EQUAL('x', keys_got[1]);
}

// ---- Output ----

TEST(console_writes_spans_in_order) {
    static char big[10000];
    memset(big, 'y', sizeof big);
    start();
    struct spans s = {
        .size = 5 + sizeof big, .count = 3, .span = {{"ab", 2}, {big, sizeof big}, {"xyz", 3}}};
    CHECK_EQUAL(10005, console_write(&s));
    CHECK_EQUAL(10005, sent_count);
    CHECK(memcmp(sent, "abyy", 4) == 0 && memcmp(sent + 10000, "yyxyz", 5) == 0);
    CHECK(sent_most <= 512 && sent_calls <= 10000 / 512 + 3); // others may write in between
}

static struct task *writer;
static int written;

static void write_much(void *unused) {
    static char big[100000];
    (void)unused;
    struct spans s = {.size = sizeof big, .count = 1, .span = {{big, sizeof big}}};
    writer = task_self();
    written = console_write(&s);
}

static void kill_writer(void *unused) {
    (void)unused;
    while (sent_count == 0)
        task_yield();
    task_kill(writer);
}

TEST(console_yields_between_pieces_of_output) {
    start();
    host_task_start(write_much, NULL);
    host_task_start(kill_writer, NULL);
    host_task_wait_all();
    CHECK(written > 0 && written < 100000);
    CHECK_EQUAL(written, sent_count);
}
