// Keys go in at a made-up serial port; lines and keys come out of the console's calls and echo out
// of the port. What editing does is test_lineedit.c's.
#include "test.h"

#include <string.h>

#include "dev/console.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "sched/clock.h"
#include "sched/schedule.h"

enum { EINTR = 4, EIO = 5, EAGAIN = 11 };

static void (*interrupt)(void);
static char keys[200000];
static size_t keys_start, keys_end;
static char sent[262144];
static size_t sent_count, sent_calls, sent_most; // bytes, calls, bytes of the longest call
static int interrupts, lists;
static bool job_runs;    // Ctrl-C has something to end
static bool wanted_keys; // the last reader
static bool refuses;     // readers
static uint64_t ticks;
static const char *answer; // of the terminal, to each question

void plic_handle(unsigned irq, void (*handler)(void)) {
    CHECK_EQUAL(10, irq);
    interrupt = handler;
}

uint64_t clock_ticks(void) {
    return ticks;
}

void uart_write(const char *text, size_t n) {
    CHECK(sent_count + n < sizeof sent);
    memcpy(sent + sent_count, text, n);
    sent_count += n;
    sent[sent_count] = '\0';
    sent_calls += n > 0;
    sent_most = n > sent_most ? n : sent_most;
}

size_t uart_read(char *to, size_t most) {
    size_t n = keys_end - keys_start < most ? keys_end - keys_start : most;
    memcpy(to, keys + keys_start, n);
    keys_start += n;
    return n;
}

static bool hook_interrupt(void) {
    CHECK(may_sleep());
    interrupts++;
    return job_runs;
}

static void hook_list(void) {
    CHECK(may_sleep());
    lists++;
}

static int hook_reader(bool wants_keys) {
    CHECK(!may_sleep()); // the console's lock is held
    wanted_keys = wants_keys;
    return refuses ? -EIO : 0;
}

static const struct console_hooks hooks = {hook_interrupt, hook_list, hook_reader};

static void type_bytes(const char *text, size_t n) {
    CHECK(n <= sizeof keys);
    memcpy(keys, text, n);
    keys_start = 0;
    keys_end = n;
    interrupt();
}

static void type(const char *text) {
    type_bytes(text, strlen(text));
}

static void forget_sent(void) {
    sent_count = sent_calls = sent_most = 0;
    sent[0] = '\0';
}

static int read_up_to(char *to, size_t most) {
    struct spans s = spans_of(to, most);
    return console_read(&s);
}

static void write_text(const char *text) {
    char copy[256];
    struct spans s = spans_of(strcpy(copy, text), strlen(text));
    console_write(&s);
}

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

#define CHECK_LINE(wanted) \
    do { \
        char line_[1024]; \
        int n_ = read_up_to(line_, sizeof line_ - 1); \
        CHECK(n_ >= 0); \
        line_[n_] = '\0'; \
        CHECK_STRING(wanted, line_); \
    } while (0)

static void start(void) {
    console_init(10);
    console_set_hooks(&hooks);
}

// ---- Lines ----

TEST(console_gives_one_line_a_read) {
    start();
    type("one\ntwo\r\n");
    CHECK_LINE("one\n");
    CHECK(!wanted_keys);
    CHECK_LINE("two\n");
    CHECK_LINE("\n");
    CHECK_STRING("one\ntwo\n\n", sent);
}

// What is typed ahead is shown when it is read, as if it were typed then.
TEST(console_shows_nothing_before_it_is_read) {
    start();
    type("ahead\nhalf");
    write_text("output\n");
    CHECK_STRING("output\n", sent);
    write_text("? ");
    CHECK_LINE("ahead\n");
    CHECK_STRING("output\n? ahead\n", sent);
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

// What did not fit is missing: neither Enter nor Ctrl-D gives a program such a line.
TEST(console_refuses_too_long_lines) {
    static char text[600];
    memset(text, 'z', sizeof text - 1);
    start();
    type(text);
    type("\n");
    type(text);
    type("\004next\n");
    CHECK_LINE("next\n");
    CHECK(ends_with(sent, "\a\nconsole: not read: a line can have 511 bytes\nnext\n"));
    type(text + 599 - 511);
    type("\n");
    text[511] = '\n';
    text[512] = '\0';
    CHECK_LINE(text);
}

TEST(console_refuses_readers_as_its_owner_says) {
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

// A job that waits for keys comes into the background: it gets none of them, and hears of it at
// once.
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

TEST(console_gives_keys_as_they_are) {
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

TEST(console_waits_for_a_key_as_long_as_asked) {
    start();
    host_idle = tick;
    host_task_start(get_with_limits, NULL);
    host_task_wait_all();
}

static bool kill_sleeper(void);
static struct task *sleeper;

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

static bool kill_sleeper(void) {
    task_kill(sleeper);
    return true;
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
    if (keys_end == 0) {
        type("half\303\244");
        return true;
    }
    return kill_sleeper();
}

// A reader that is killed leaves its half of a line to the next, whichever kind that is; so does
// one that took a part.
TEST(console_passes_on_what_was_left) {
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

static void read_and_check(void *wanted) {
    CHECK_LINE(wanted);
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

TEST(console_gives_each_of_two_readers_whole_lines) {
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

// What finds no room is refused by whole lines, with a bell, so that none is run shortened; what
// came first is kept.
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

// With nothing to end it is a key; a reader of lines, maybe a shell of another system, gets an
// empty line.
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

// It comes as a key only to who waits for one, and shows its line again; typed ahead it would come
// too late for that.
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

// ---- The terminal's width ----

#define QUESTION "\033[6n\0337\033[999C\033[6n\0338"

// The terminal answers, or time passes.
static bool pass_time(void) {
    static size_t answered;
    if (answer != NULL && sent_count > answered) {
        answered = sent_count;
        type(answer);
    } else {
        ticks++;
        type("");
    }
    return true;
}

static struct terminal found;

static void ask(void *unused) {
    (void)unused;
    CHECK_EQUAL(0, console_terminal(&found));
}

static void check_answer(const char *typed, int columns, int column) {
    answer = typed;
    host_task_start(ask, NULL);
    host_task_wait_all();
    CHECK_EQUAL(columns, found.columns);
    CHECK_EQUAL(column, found.column);
}

TEST(console_asks_the_terminal) {
    start();
    host_idle = pass_time;
    check_answer("\033[24;7R\033[24;132R", 132, 6);
    CHECK_STRING(QUESTION, sent);
    check_answer("ls\n\033[1;1Rps\033[1;40R\n", 40, 0); // between what is typed
    CHECK_LINE("ls\n");
    CHECK_LINE("ps\n");
    CHECK_EQUAL(0, ticks);
}

TEST(console_waits_a_second_for_an_answer) {
    start();
    host_idle = pass_time;
    check_answer(NULL, 80, -1);
    CHECK_EQUAL(10, ticks);
    check_answer("\033[24;7R\033[24;132R", 132, 6);
    CHECK_EQUAL(10, ticks);
    CHECK_STRING(QUESTION QUESTION, sent);
}

// Only whole answers are taken out of what is typed, and only when they are waited for.
TEST(console_takes_nothing_else_for_an_answer) {
    static const char typed[] = "R\033[R\033[1R\033[;1R\033[1;R[1;1R\033O1;1R\033[12345;1R1;1R\n";
    start();
    type("\033[24;80R");
    for (const char *key = "\033[24;80R"; *key; key++)
        CHECK_EQUAL(*key, console_getkey(-1));
    host_idle = pass_time;
    check_answer(typed, 80, -1);
    for (const char *key = typed; *key; key++)
        CHECK_EQUAL(*key, console_getkey(-1));
}

static void ask_until_killed(void *unused) {
    (void)unused;
    sleeper = task_self();
    CHECK_EQUAL(-EINTR, console_terminal(&found));
}

TEST(console_question_ends_when_killed) {
    start();
    host_idle = kill_sleeper;
    host_task_start(ask_until_killed, NULL);
    host_task_wait_all();
    host_idle = pass_time;
    check_answer("\033[24;7R\033[24;132R", 132, 6);
}

// A long line is edited with the terminal's width, and where the program's text before it ends.
TEST(console_asks_for_the_width_of_long_lines) {
    start();
    host_idle = pass_time;
    answer = "\033[5;11R\033[5;40R";
    write_text("name: ");
    type("abcdefghijabcdefghijabcdefghijabcdefghijabcd\033[D\033[D\033[D\033[D\033[D\033[D\033["
         "D\033[D\033[D\033[D\033["
         "DX\n");
    host_task_start(read_and_check, "abcdefghijabcdefghijabcdefghijabcXdefghijabcd\n");
    host_task_wait_all();
    CHECK(strstr(sent, QUESTION) != NULL);
    CHECK(strstr(sent, "\033[1A") != NULL); // back over the edge
}

// The answer, Ctrl-L, another answer, and the end of the line, each when all waits.
static bool resize_window(void) {
    static const char *const typed[] = {"\033[5;26R\033[5;40R", "\014", "\033[1;3R\033[1;20R",
                                        "X\n"};
    static unsigned count;
    if (count == 1)
        forget_sent();
    type(typed[count++ % 4]);
    return true;
}

// Ctrl-L asks again.
TEST(console_learns_the_width_of_a_resized_window) {
    start();
    host_idle = resize_window;
    type("abcdefghijabcdefghijabcdef\033[D");
    host_task_start(read_and_check, "abcdefghijabcdefghijabcdeXf\n");
    host_task_wait_all();
    CHECK(strstr(sent, QUESTION "\033[H\033[Jabcdefghijabcdefghij\nabcdef") != NULL);
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

TEST(console_lets_others_run_while_it_writes) {
    start();
    host_task_start(write_much, NULL);
    host_task_start(kill_writer, NULL);
    host_task_wait_all();
    CHECK(written > 0 && written < 100000);
    CHECK_EQUAL(written, sent_count);
}

// Random keys, read as lines, as keys or not at all: nothing breaks, and what is typed afterwards
// arrives.
TEST(console_survives_random_keys) {
    static const char *const pieces[] = {
        "\033[D",  "\033[C", "\033[A",   "\001",      "\005", "\025", "\027", "\177", "a", "bc ",
        "\033[3~", "y z",    "\303\244", "long word", "\004", "\n",   "\003", "\352", "\n"};
    char got[1024];
    start();
    host_idle = pass_time;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 30; i++) {
            const char *piece = pieces[host_random(ARRAY_SIZE(pieces))];
            type_bytes(piece, strlen(piece));
        }
        for (unsigned i = host_random(10); i > 0 && host_random(2) == 0; i--) {
            type("k");
            console_getkey(-1);
        }
        type("\025\nend\n");
        int n;
        do
            n = read_up_to(got, sizeof got);
        while (n != 4 || memcmp(got, "end\n", 4) != 0);
        forget_sent();
        ticks += 100;
    }
}
