// Stops are numbered: the number is odd during a stop, and a stopped hart notes the number that it
// stopped for. A hart that waits for an interrupt counts as stopped, because when it wakes it looks
// at the number before it does anything else.
#include "sched/stop.h"
#include "arch/hart.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

#define STOPPED_FOR_ANY UINT64_MAX

// Locks: [I] set at boot, [a] atomic, [w] only the hart that has stopped the others.
static unsigned hart_ids[HARTS_MAX];    // [I]
static unsigned hart_count;             // [I]
static unsigned harts_online;           // [a] bit set: those that take part in stops
static uint64_t stop_number;            // [a]
static struct thread *stopper;          // [a] has stopped the others; NULL between stops
static uint64_t stop_time;              // [w] when the stop began
static uint64_t next_stop;              // [a] when the next stop may begin
static uint64_t stopped_for[HARTS_MAX]; // [a]

void sched_stop_init(const unsigned *ids, unsigned count) {
    hart_count = count;
    for (unsigned i = 0; i < count; i++)
        hart_ids[i] = ids[i];
}

void sched_notify(unsigned hart) {
    hart_notify(hart_ids[hart]);
}

void sched_halt_if_stopped(void) {
    uint64_t number;
    while ((number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST)) % 2 != 0) {
        __atomic_store_n(&stopped_for[thread_self()->hart], number, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&stop_number, __ATOMIC_SEQ_CST) == number)
            continue;
    }
}

void sched_go_online(void) {
    __atomic_fetch_or(&harts_online, 1u << thread_self()->hart, __ATOMIC_SEQ_CST);
    sched_halt_if_stopped(); // a stop under way may count only those that were online before
}

void sched_wait_interrupt(void) {
    uint64_t *stopped = &stopped_for[thread_self()->hart];
    __atomic_store_n(stopped, STOPPED_FOR_ANY, __ATOMIC_SEQ_CST);
    hart_wait();
    __atomic_store_n(stopped, 0, __ATOMIC_SEQ_CST);
    sched_halt_if_stopped();
}

// Begins a stop, after those that other harts have begun, and returns its number.
static uint64_t begin_stop(void) {
    while (hart_count > 1 && hart_time() < __atomic_load_n(&next_stop, __ATOMIC_RELAXED))
        sched_halt_if_stopped();
    uint64_t number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST);
    while (number % 2 != 0 || !__atomic_compare_exchange_n(&stop_number, &number, number + 1, false,
                                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        sched_halt_if_stopped();
        number = __atomic_load_n(&stop_number, __ATOMIC_SEQ_CST);
    }
    return number + 1;
}

static bool has_stopped(unsigned hart, uint64_t number) {
    uint64_t noted = __atomic_load_n(&stopped_for[hart], __ATOMIC_SEQ_CST);
    return noted == number || noted == STOPPED_FOR_ANY;
}

void sched_stop_others(void) {
    assert(may_sleep());
    uint64_t number = begin_stop();
    stop_time = hart_time();
    unsigned self = 1u << thread_self()->hart;
    unsigned others = __atomic_load_n(&harts_online, __ATOMIC_SEQ_CST) & ~self;
    for (unsigned i = 0; i < hart_count; i++) {
        if (others >> i & 1 && !has_stopped(i, number))
            sched_notify(i);
    }
    for (unsigned i = 0; i < hart_count; i++) {
        while (others >> i & 1 && !has_stopped(i, number))
            continue;
    }
    __atomic_store_n(&stopper, thread_self(), __ATOMIC_RELAXED);
}

void sched_resume_others(void) {
    assert(sched_is_stopped());
    __atomic_store_n(&stopper, NULL, __ATOMIC_RELAXED);
    uint64_t now = hart_time();
    __atomic_store_n(&next_stop, now + (now - stop_time), __ATOMIC_RELAXED);
    __atomic_fetch_add(&stop_number, 1, __ATOMIC_SEQ_CST);
}

bool sched_is_stopped(void) {
    return __atomic_load_n(&stopper, __ATOMIC_RELAXED) == thread_self();
}
