// Time, measured by the counter that all harts share.
#include "sched/clock.h"
#include "abi/limits.h"
#include "arch/address.h"
#include "arch/hart.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

enum { SLICES_PER_SECOND = 100, SHORT_SLICES_PER_SECOND = 10000 };
enum { MICROSECONDS_PER_SECOND = 1000000 };

// What the timer of a hart is set to.
enum timer { TO_ALARM, TO_END_OF_SLICE, TO_EARLY_END };

// Locks: [I] set at boot, [s] sched_lock, [h] only the hart itself.
static uint64_t frequency;          // [I]
static uint64_t start_time;         // [I]
static uint64_t alarm = UINT64_MAX; // [s]
static enum timer timer[HARTS_MAX]; // [h]

void clock_init(uint64_t frequency_hz) {
    frequency = frequency_hz;
    start_time = hart_time();
}

uint64_t clock_ticks(void) {
    return (hart_time() - start_time) / (frequency / TICKS_PER_SECOND);
}

uint64_t clock_time_of_tick(uint64_t tick) {
    return start_time + tick * (frequency / TICKS_PER_SECOND);
}

uint64_t clock_from_ticks(uint64_t ticks) {
    return ticks * frequency / TICKS_PER_SECOND;
}

uint64_t clock_slice(void) {
    return frequency / SLICES_PER_SECOND;
}

uint64_t clock_microseconds(uint64_t time) {
    return time * MICROSECONDS_PER_SECOND / frequency;
}

void clock_start_slice(void) {
    timer[thread_self()->hart] = TO_END_OF_SLICE;
    hart_set_timer(hart_time() + clock_slice());
}

void clock_ensure_slice(void) {
    if (timer[thread_self()->hart] == TO_ALARM)
        clock_start_slice();
}

void clock_shorten_slice(void) {
    if (timer[thread_self()->hart] == TO_EARLY_END)
        return;
    timer[thread_self()->hart] = TO_EARLY_END;
    hart_set_timer(hart_time() + frequency / SHORT_SLICES_PER_SECOND);
}

// An idle hart wakes at least every tenth of a second: under QEMU's instruction counting, a hart
// that waits without a deadline would stop the counter for good.
void clock_prepare_idle(void) {
    assert(rank_held(RANK_SCHED));
    timer[thread_self()->hart] = TO_ALARM;
    hart_set_timer(min(alarm, hart_time() + clock_from_ticks(1)));
}

void clock_set_alarm(uint64_t time) {
    assert(rank_held(RANK_SCHED));
    alarm = time;
}
