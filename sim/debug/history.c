// Snapshots and keys, with their times.
#include "debug/history.h"
#include "memory/host.h"

#include <string.h>

enum { INTERVAL = 1000000, INPUTS_FIRST = 256, SCALE = 1024 };
enum { NEAR = 100000, NEAREST = 1000 }; // before a time to which somebody went back

static uint64_t now(const struct history *h) {
    return machine_time(h->machine);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

// ---- What others are told ----

// An instruction has been counted when it prints.
static void put(void *owner, uint8_t byte) {
    struct history *h = owner;
    if (h->put != NULL && system_now(&h->machine->system) > h->reached)
        h->put(h->put_owner, byte);
}

// The disk is written before the instruction of that time, so that this may happen twice, with the
// same bytes.
static void written(void *owner, uint64_t start, uint64_t bytes) {
    struct history *h = owner;
    if (h->written != NULL && now(h) >= h->reached)
        h->written(h->written_owner, start, bytes);
}

// ---- Moments ----

// Returns the number of moments that are earlier than that time.
static unsigned count_before(const struct history *h, uint64_t time) {
    unsigned n = 0;
    while (n < h->count && h->moments[n].time < time)
        n++;
    return n;
}

static void drop(struct history *h, unsigned i) {
    snapshot_free(h->moments[i].snapshot);
    h->count--;
    memmove(&h->moments[i], &h->moments[i + 1], (h->count - i) * sizeof h->moments[0]);
}

// Returns the moment that is missed least: where moments are near to each other, and far from now.
// The first one stays, unless all others must.
static unsigned least_useful(const struct history *h) {
    unsigned least = 0;
    uint64_t least_use = UINT64_MAX;
    for (unsigned i = 1; i + 1 < h->count; i++) {
        const struct moment *m = &h->moments[i];
        uint64_t distance = m->time < now(h) ? now(h) - m->time : m->time - now(h);
        uint64_t gap = m[1].time - m[-1].time;
        uint64_t use = gap * SCALE / (distance + h->interval);
        if (!m->is_kept && !m->is_new && m->time != h->pinned && use < least_use) {
            least = i;
            least_use = use;
        }
    }
    return least;
}

// Keeps the state in the place of one that was kept at the same time.
static bool add(struct history *h, bool is_kept, bool is_new) {
    struct snapshot *snapshot = snapshot_take(h->machine);
    if (snapshot == NULL)
        return false;
    unsigned i = count_before(h, now(h));
    if (i < h->count && h->moments[i].time == now(h)) {
        is_kept |= h->moments[i].is_kept;
        is_new |= h->moments[i].is_new;
        drop(h, i);
    }
    if (h->count == MOMENTS_MAX)
        drop(h, least_useful(h));
    i = count_before(h, now(h));
    memmove(&h->moments[i + 1], &h->moments[i], (h->count - i) * sizeof h->moments[0]);
    h->moments[i] = (struct moment){snapshot, now(h), h->next_input, is_kept, is_new};
    h->count++;
    return true;
}

uint64_t history_latest(const struct history *h) {
    unsigned n = count_before(h, now(h) + 1);
    return n > 0 ? h->moments[n - 1].time : UINT64_MAX;
}

// Without memory, there are fewer moments.
static void keep_if_due(struct history *h) {
    if (now(h) - smaller(history_latest(h), now(h)) >= h->interval)
        add(h, false, false);
}

uint64_t history_first(const struct history *h) {
    return h->count > 0 ? h->moments[0].time : now(h);
}

// ---- Making ----

bool history_init(struct history *h, struct machine *m) {
    *h = (struct history){
        .machine = m,
        .interval = INTERVAL,
        .reached = machine_time(m),
        .pinned = UINT64_MAX,
        .put = m->uart.put,
        .put_owner = m->uart.owner,
        .written = m->slots[0].block.written,
        .written_owner = m->slots[0].block.owner,
    };
    m->uart.put = put;
    m->uart.owner = h;
    m->slots[0].block.written = written;
    m->slots[0].block.owner = h;
    return add(h, true, false);
}

void history_destroy(struct history *h) {
    h->machine->uart.put = h->put;
    h->machine->uart.owner = h->put_owner;
    h->machine->slots[0].block.written = h->written;
    h->machine->slots[0].block.owner = h->written_owner;
    while (h->count > 0)
        drop(h, h->count - 1);
    host_free(h->inputs);
}

// ---- Changes ----

void history_changed(struct history *h) {
    h->is_changed = true;
}

// Begins another future. If there is no memory to keep its beginning, nothing before it can be
// found again.
static void settle(struct history *h) {
    if (!h->is_changed)
        return;
    h->is_changed = false;
    while (h->count > 0 && h->moments[h->count - 1].time >= now(h))
        drop(h, h->count - 1);
    h->input_count = h->next_input;
    bool was_written = now(h) < h->reached && h->written != NULL;
    h->reached = now(h);
    if (was_written)
        h->written(h->written_owner, 0, h->machine->slots[0].block.bytes);
    while (!add(h, true, true) && h->count > 0)
        drop(h, h->count - 1);
}

bool history_keep(struct history *h) {
    settle(h);
    return add(h, true, false);
}

// ---- Keys ----

bool history_is_new(const struct history *h) {
    return now(h) >= h->reached && h->next_input == h->input_count;
}

static bool make_room(struct history *h) {
    if (h->input_count < h->input_room)
        return true;
    size_t room = h->input_room > 0 ? 2 * h->input_room : INPUTS_FIRST;
    struct input *inputs = host_alloc(room * sizeof *inputs);
    if (inputs == NULL)
        return false;
    if (h->input_count > 0)
        memcpy(inputs, h->inputs, h->input_count * sizeof *inputs);
    host_free(h->inputs);
    h->inputs = inputs;
    h->input_room = room;
    return true;
}

// Without memory, the key is lost, as if it had not been typed. A moment is the state before what
// is typed at its time.
void history_type(struct history *h, uint8_t byte) {
    settle(h);
    keep_if_due(h);
    if (!make_room(h))
        return;
    h->inputs[h->input_count++] = (struct input){now(h), byte};
    h->next_input = h->input_count;
    machine_type(h->machine, byte);
}

// Types again what was typed now.
static void feed(struct history *h) {
    while (h->next_input < h->input_count && h->inputs[h->next_input].time <= now(h))
        machine_type(h->machine, h->inputs[h->next_input++].byte);
}

// ---- Running ----

// Returns how far the machine may run until something is to be typed or kept.
static uint64_t limit(const struct history *h, uint64_t until) {
    if (h->next_input < h->input_count)
        until = smaller(until, h->inputs[h->next_input].time);
    unsigned n = count_before(h, now(h) + 1);
    uint64_t due = (n > 0 ? h->moments[n - 1].time : now(h)) + h->interval;
    if (n < h->count)
        due = smaller(due, h->moments[n].time);
    return smaller(until, due > now(h) ? due : now(h) + h->interval);
}

// Goes to a moment.
static bool enter(struct history *h, const struct moment *moment) {
    if (!snapshot_restore(h->machine, moment->snapshot))
        return false;
    h->next_input = moment->inputs;
    return true;
}

// Enters another future that begins now. Returns false without memory.
static bool enter_new(struct history *h) {
    unsigned n = count_before(h, now(h));
    bool is_there = n < h->count && h->moments[n].time == now(h) && h->moments[n].is_new;
    return !is_there || enter(h, &h->moments[n]);
}

enum machine_stop history_run(struct history *h, uint64_t until) {
    settle(h);
    while (now(h) < until) {
        if (h->machine->finisher.written != 0)
            return h->machine->finisher.written == FINISHER_RESET ? STOP_RESET : STOP_FINISHED;
        keep_if_due(h);
        feed(h);
        uint64_t before = now(h);
        enum machine_stop stop = machine_run(h->machine, limit(h, until));
        if (now(h) > before && !enter_new(h))
            return STOP_NO_MEMORY;
        bool is_typed = h->next_input < h->input_count && h->inputs[h->next_input].time <= now(h);
        if (now(h) > h->reached)
            h->reached = now(h);
        if (stop != STOP_TIME && !(stop == STOP_IDLE && is_typed))
            return stop;
    }
    return STOP_TIME;
}

enum machine_stop history_run_on(struct history *h, uint64_t until) {
    struct breakpoints *b = &h->machine->system.breakpoints;
    const struct hart *stepped = b->stepped;
    b->are_off = true;
    b->stepped = NULL;
    enum machine_stop stop = history_run(h, until);
    b->are_off = false;
    b->stepped = stepped;
    return stop;
}

// ---- Going back ----

uint64_t history_restore(struct history *h, uint64_t before) {
    settle(h);
    unsigned n = count_before(h, before);
    if (n == 0 || !enter(h, &h->moments[n - 1]))
        return UINT64_MAX;
    h->machine->system.breakpoints.passed_time = UINT64_MAX;
    for (unsigned i = 0; i < h->machine->system.hart_count; i++)
        h->machine->system.harts[i].last_end = 0;
    return h->moments[n - 1].time;
}

// Whoever goes back once will go back a little more, so moments are kept near to that time.
bool history_go(struct history *h, uint64_t time) {
    if (history_restore(h, time + 1) == UINT64_MAX)
        return false;
    for (uint64_t distance = NEAR; distance >= NEAREST; distance /= 10) {
        if (now(h) + distance >= time)
            continue;
        history_run_on(h, time - distance);
        add(h, false, false);
    }
    history_run_on(h, time);
    return now(h) == time;
}
