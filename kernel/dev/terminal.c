// Two questions are asked: where the cursor is, and where it is after a move to the right edge.
#include "dev/terminal.h"
#include "dev/keyring.h"
#include "dev/uart.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "sched/clock.h"
#include "sync/spinlock.h"

enum { ANSWER_TICKS = 10, ANSWERS = 2, COLUMNS_DEFAULT = 80 };

// Asks where the cursor is, moves it to the right edge, asks again, and moves it back.
#define QUESTIONS "\x1b[6n\x1b\x37\x1b[999C\x1b[6n\x1b\x38"

// Locks: all are guarded by the console's lock.
static uint64_t asked_until;  // the terminal may answer until then
static unsigned answer_count; // how many answers have come since it was asked
static int answers[ANSWERS];  // columns, from 1

bool terminal_is_asked(void) {
    assert(rank_held(RANK_CONSOLE));
    return answer_count < ANSWERS && clock_ticks() < asked_until;
}

uint64_t terminal_deadline(void) {
    assert(rank_held(RANK_CONSOLE));
    return asked_until;
}

void terminal_ask(void) {
    if (terminal_is_asked())
        return;
    answer_count = 0;
    asked_until = clock_ticks() + ANSWER_TICKS;
    uart_write(QUESTIONS, strlen(QUESTIONS));
}

bool terminal_take_answer(void) {
    if (!terminal_is_asked() || !keyring_take_report(&answers[answer_count]))
        return false;
    answer_count++;
    return true;
}

struct terminal terminal_answer(void) {
    assert(rank_held(RANK_CONSOLE));
    if (answer_count < ANSWERS)
        return (struct terminal){.columns = COLUMNS_DEFAULT, .column = -1};
    return (struct terminal){.columns = answers[1], .column = answers[0] - 1};
}
