#include "console_port.h"

#include <string.h>

#include "dev/console.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "sched/clock.h"

static void (*interrupt)(void);
static char keys[200000];
static size_t keys_start, keys_end;
char sent[262144];
size_t sent_count, sent_calls, sent_most;
int interrupts, lists;
bool job_runs, wanted_keys, refuses;
uint64_t ticks;
struct task *sleeper;

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

void type_bytes(const char *text, size_t n) {
    CHECK(n <= sizeof keys);
    memcpy(keys, text, n);
    keys_start = 0;
    keys_end = n;
    interrupt();
}

void type(const char *text) {
    type_bytes(text, strlen(text));
}

void forget_sent(void) {
    sent_count = sent_calls = sent_most = 0;
    sent[0] = '\0';
}

int read_up_to(char *to, size_t most) {
    struct spans s = spans_of(to, most);
    return console_read(&s);
}

void write_text(const char *text) {
    char copy[256];
    struct spans s = spans_of(strcpy(copy, text), strlen(text));
    console_write(&s);
}

void start(void) {
    console_init(10);
    console_set_hooks(&hooks);
}

void read_and_check(void *expected) {
    CHECK_LINE(expected);
}

bool kill_sleeper(void) {
    task_kill(sleeper);
    return true;
}
