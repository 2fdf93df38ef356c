// The console asks the terminal how wide it is, which answers among the keys.
#include <string.h>

#include "console_port.h"
#include "dev/console.h"

#define QUESTION "\033[6n\0337\033[999C\033[6n\0338"

static const char *answer; // of the terminal, to each question

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

// Only complete answers are taken out of what is typed, and only while they are awaited.
TEST(console_takes_only_complete_answers) {
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

// A long line is edited with the terminal's width, from where the program's text before it ends.
TEST(console_asks_for_the_width_of_long_lines) {
    start();
    host_idle = pass_time;
    answer = "\033[5;11R\033[5;40R";
    write_text("name: ");
    type("abcdefghijabcdefghijabcdefghijabcdefghijabcd");
    for (int i = 0; i < 11; i++)
        type("\033[D");
    type("X\n");
    host_task_start(read_and_check, "abcdefghijabcdefghijabcdefghijabcXdefghijabcd\n");
    host_task_wait_all();
    CHECK(strstr(sent, QUESTION) != NULL);
    CHECK(strstr(sent, "\033[1A") != NULL); // back over the edge
}

// The answer, Ctrl-L, another answer, and the end of the line, each when all tasks wait.
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

// Random keys are read as lines, as keys or not at all: nothing breaks, and later keys arrive.
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
