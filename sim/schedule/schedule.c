// Schedules.
#include "schedule/schedule.h"
#include "cpu/access.h"
#include "cpu/fast.h"
#include "memory/hash.h"

#include <string.h>

enum { BUDGET = 20000, QUANTUM = 1000, SHORT_TURNS = 16, SHORT = 2000 };

static uint64_t random_of(struct schedule_state *state) {
    return random_next(&state->random);
}

// ---- Loops in which nothing changes ----

static uint64_t signature_of(const struct hart *h) {
    struct hash hash = {h->r.pc};
    hash_bytes(&hash, h->r.x, 32 * sizeof h->r.x[0]);
    return hash.value | 1;
}

// Notes where the hart pauses. Blocks it if it was there before, and has changed nothing since.
static void look_for_loop(struct schedule_hart *sh, const struct hart *h) {
    struct look now = {signature_of(h), h->r.changes, sh->word};
    for (unsigned i = 0; i < ROUND_LOOKS; i++) {
        const struct look *before = &sh->looks[i];
        if (before->signature == now.signature && before->changes == now.changes)
            sh->is_blocked = true;
    }
    sh->looks[sh->looked_at++ % ROUND_LOOKS] = now;
}

static void unblock(struct schedule_hart *sh) {
    sh->is_blocked = false;
    memset(sh->looks, 0, sizeof sh->looks);
}

void schedule_unblock(struct schedule *s, uint32_t harts) {
    for (unsigned i = 0; i < s->system->hart_count; i++) {
        if (harts >> i & 1)
            unblock(&s->state.harts[i]);
    }
}

static bool has_looked_at(const struct schedule_hart *sh, uint64_t first, uint64_t last) {
    for (unsigned i = 0; i < ROUND_LOOKS; i++) {
        const struct look *look = &sh->looks[i];
        if (look->signature != 0 && look->word >= first && look->word <= last)
            return true;
    }
    return false;
}

static void changed(struct observer *o, struct hart *h, uint64_t pa, uint64_t bytes) {
    struct schedule *s = (struct schedule *)o;
    uint64_t first = (pa - MEMORY_START) / WORD_BYTES;
    uint64_t last = (pa - MEMORY_START + bytes - 1) / WORD_BYTES;
    s->state.has_looked_again = false;
    if (h != NULL)
        h->r.changes++;
    for (unsigned i = 0; i < s->system->hart_count; i++) {
        struct schedule_hart *sh = &s->state.harts[i];
        if (has_looked_at(sh, first, last)) // it has not seen this, even if it goes on
            unblock(sh);
    }
}

bool schedule_looks_again(struct schedule *s) {
    bool is_blocked = false;
    for (unsigned i = 0; i < s->system->hart_count; i++)
        is_blocked |= s->state.harts[i].is_blocked != 0;
    if (!is_blocked || s->state.has_looked_again)
        return false;
    s->state.has_looked_again = true;
    schedule_unblock(s, UINT32_MAX);
    return true;
}

// ---- Accesses ----

static void record(struct schedule *s, const struct hart *h, uint64_t word, uint64_t kind) {
    uint64_t before;
    paged_fetch(&s->system->bus.memory, word * WORD_BYTES, &before, sizeof before);
    s->recorded[s->recorded_count++ % RECORDED_MAX] = (struct recorded){
        system_now(s->system), h->r.id, h->r.pc, MEMORY_START + word * WORD_BYTES, before, kind,
    };
}

// The hart executes the access before which it has paused.
static void count_access(struct schedule *s, struct schedule_hart *sh, bool is_write) {
    sh->accesses++;
    s->state.accesses++;
    for (unsigned i = 0; s->state.strategy == STRATEGY_POS && i < s->system->hart_count; i++) {
        struct schedule_hart *other = &s->state.harts[i];
        if (other != sh && other->word == sh->word && (is_write || other->is_write))
            other->priority = random_of(&s->state);
    }
    sh->word = NO_WORD;
    if (s->state.strategy != STRATEGY_PCT)
        sh->priority = random_of(&s->state);
    else if (random_of(&s->state) % (s->expected_all + 1) < PCT_CHANGES)
        sh->priority = --s->state.lowest;
}

static void fenced(struct observer *o, struct hart *h) {
    struct schedule *s = (struct schedule *)o;
    if (s->learns)
        words_fence(&s->words, h->r.id);
}

static bool before(struct observer *o, struct hart *h, uint64_t pa, unsigned bytes, unsigned kind) {
    struct schedule *s = (struct schedule *)o;
    struct schedule_hart *sh = &s->state.harts[h->r.id];
    uint64_t word = (pa - MEMORY_START) / WORD_BYTES;
    if (s->learns && !words_note(&s->words, &(struct touch){word, h->r.id, kind}))
        s->system->bus.is_out_of_memory = true;
    if (s->state.strategy == STRATEGY_QUANTA || !words_is_watched(&s->words, word))
        return true;
    bool is_released = h->r.retired + hart_executed(h) == sh->released_at;
    bool is_reserved = h->r.reserved_address == pa && !(kind & OBSERVED_READ);
    if (is_released || is_reserved) { // lr and sc are one access
        record(s, h, word, kind);
        return true;
    }
    sh->word = word;
    sh->is_write = (kind & OBSERVED_WRITE) != 0;
    if (kind & OBSERVED_READ)
        look_for_loop(sh, h);
    s->state.budget = 0;
    return false;
}

static bool is_quiet(struct observer *o, uint64_t pa, bool is_write) {
    const struct schedule *s = (const struct schedule *)o;
    if (s->learns || s->state.strategy == STRATEGY_QUANTA)
        return !s->learns;
    return !is_write && !words_has_page(&s->words, (pa - MEMORY_START) / PAGE_BYTES);
}

// ---- Choosing ----

// Returns the hart's weight when one is chosen by chance.
static uint64_t chance_of(const struct schedule *s, unsigned hart) {
    if (s->state.strategy == STRATEGY_QUANTA)
        return 1;
    uint64_t expected = s->expected[hart], done = s->state.harts[hart].accesses;
    return expected > done ? expected - done : 1;
}

static unsigned choose_by_chance(struct schedule *s, uint32_t harts) {
    uint64_t all = 0;
    unsigned chosen = 0;
    for (unsigned i = 0; i < s->system->hart_count; i++)
        all += harts >> i & 1 ? chance_of(s, i) : 0;
    uint64_t random = all > 0 ? random_of(&s->state) % all : 0;
    for (unsigned i = 0; i < s->system->hart_count; i++) {
        if (!(harts >> i & 1))
            continue;
        chosen = i;
        if (random < chance_of(s, i))
            break;
        random -= chance_of(s, i);
    }
    return chosen;
}

static unsigned choose_by_priority(const struct schedule *s, uint32_t harts) {
    unsigned chosen = HARTS_MAX;
    for (unsigned i = 0; i < s->system->hart_count; i++) {
        if ((harts >> i & 1) &&
            (chosen == HARTS_MAX || s->state.harts[i].priority > s->state.harts[chosen].priority))
            chosen = i;
    }
    return chosen;
}

// What a hart has written is seen after a while, even if it goes round in a loop.
static void drain_blocked(struct schedule *s) {
    for (unsigned i = 0; i < s->system->hart_count; i++) {
        struct hart *h = &s->system->harts[i];
        if (s->state.harts[i].is_blocked && h->stores.count > 0)
            access_drain(h);
    }
}

// Returns how many instructions a hart may execute without an access. Now and then they are few, so
// that others have their turn also where it makes no access for long, as when it copies a page.
static uint64_t choose_budget(struct schedule_state *state) {
    if (state->strategy == STRATEGY_QUANTA)
        return 1 + random_of(state) % QUANTUM;
    return random_of(state) % SHORT_TURNS == 0 ? 1 + random_of(state) % SHORT : BUDGET;
}

struct hart *schedule_choose(struct schedule *s, uint32_t can_run) {
    struct schedule_state *state = &s->state;
    uint32_t harts = 0;
    drain_blocked(s);
    for (unsigned i = 0; i < s->system->hart_count; i++)
        harts |= state->harts[i].is_blocked ? 0 : can_run & 1u << i;
    if (harts == 0)
        return NULL;
    if (state->budget > 0 && (harts >> state->current & 1))
        return &s->system->harts[state->current];
    bool is_by_priority = state->strategy == STRATEGY_POS || state->strategy == STRATEGY_PCT;
    unsigned chosen = is_by_priority ? choose_by_priority(s, harts) : choose_by_chance(s, harts);
    struct schedule_hart *sh = &state->harts[chosen];
    struct hart *h = &s->system->harts[chosen];
    state->current = chosen;
    state->budget = choose_budget(state);
    sh->released_at = h->r.retired + 1;
    if (sh->word != NO_WORD)
        count_access(s, sh, sh->is_write);
    return h;
}

// If a hart makes no access for so long, it may be waiting for one with a lower priority, or for
// one that is blocked.
void schedule_ran(struct schedule *s, uint64_t instructions) {
    struct schedule_state *state = &s->state;
    if (state->budget > instructions) {
        state->budget -= instructions;
        return;
    }
    if (state->budget > 0)
        schedule_unblock(s, UINT32_MAX);
    if (state->budget > 0 && state->strategy == STRATEGY_PCT)
        state->harts[state->current].priority = --state->lowest;
    for (unsigned i = 0; state->strategy == STRATEGY_POS && state->budget > 0 && i < HARTS_MAX; i++)
        state->harts[i].priority = random_of(state);
    state->budget = 0;
}

// ---- Runs ----

bool schedule_init(struct schedule *s, struct system *system) {
    *s = (struct schedule){.observer = {before, fenced, changed, is_quiet}, .system = system};
    return words_init(&s->words, system->bus.memory.page_count);
}

void schedule_destroy(struct schedule *s) {
    words_destroy(&s->words);
}

void schedule_begin(struct schedule *s, enum strategy strategy, uint64_t seed, bool learns) {
    s->state =
        (struct schedule_state){.strategy = strategy, .random = seed, .lowest = UINT64_C(1) << 32};
    s->learns = learns;
    s->recorded_count = 0;
    for (unsigned i = 0; i < HARTS_MAX; i++) {
        s->state.harts[i].word = NO_WORD;
        s->state.harts[i].priority = random_of(&s->state) | UINT64_C(1) << 32;
        s->state.harts[i].released_at = UINT64_MAX;
    }
    s->system->observer = &s->observer;
    fast_forget_all(s->system);
}

uint64_t schedule_end(struct schedule *s) {
    s->system->observer = NULL;
    fast_forget_all(s->system);
    if (!s->learns)
        return 0;
    for (unsigned i = 0; i < HARTS_MAX; i++)
        s->expected[i] = s->state.harts[i].accesses;
    s->expected_all = s->state.accesses;
    return words_learn(&s->words);
}
