// Schedules: which hart executes next, decided before each access to a word that harts share.
//
// A schedule runs a hart until it is about to access a watched word; then it chooses a hart, which
// executes its access and goes on to the next one. A hart that goes round in a loop in which
// nothing changes is blocked until another hart changes a word that it has read.
//
// POS: Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling", CAV 2018. SURW: Zhao et al.,
// "Selectively Uniform Concurrency Testing", ASPLOS 2025. PCT: Burckhardt et al., "A Randomized
// Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
#pragma once
#include "cpu/hart.h"
#include "schedule/words.h"

enum strategy {
    STRATEGY_QUANTA, // turns of many instructions; nothing is watched
    STRATEGY_POS,  // each access gets a priority by chance, again if one that conflicts came first
    STRATEGY_SURW, // a hart's chance is the number of accesses that it still has to make
    STRATEGY_PCT,  // harts have priorities, and lose them at some accesses
};

enum { ROUND_LOOKS = 8, PCT_CHANGES = 50, RECORDED_MAX = 4096 };

#define NO_WORD UINT64_MAX

// What a hart was about to do when it paused.
struct look {
    uint64_t signature; // of its registers; 0: none
    uint64_t changes;   // that it has made before
    uint64_t word;
};

struct schedule_hart {
    uint64_t priority;
    uint64_t word; // that it is about to access; NO_WORD
    uint64_t is_write;
    uint64_t released_at;           // its instruction of that number does not pause
    uint64_t accesses;              // to watched words, so far
    uint64_t is_blocked;            // in a loop, until one of the words in `looks` changes
    uint64_t looked_at;             // how many looks there have been
    struct look looks[ROUND_LOOKS]; // the last ones, in a ring
};

// A part of the machine's state.
struct schedule_state {
    uint64_t strategy;
    uint64_t random;
    uint64_t current; // hart
    uint64_t budget;  // instructions that it may execute without an access; 0: choose
    uint64_t lowest;  // priority given so far, for PCT
    uint64_t accesses;
    uint64_t has_looked_again; // and nothing has changed since
    struct schedule_hart harts[HARTS_MAX];
};

// An access to a watched word, in the order in which they happened.
struct recorded {
    uint64_t time, hart, pc, word, before;
    uint64_t kind; // enum observed, together
};

struct schedule {
    struct observer observer; // the first member
    struct system *system;
    struct schedule_state state;
    struct words words;
    bool learns; // all accesses, so that the next run knows which words are shared
    uint64_t expected[HARTS_MAX], expected_all; // accesses, as in an earlier run
    struct recorded recorded[RECORDED_MAX];     // the last ones, in a ring; not a part of the state
    uint64_t recorded_count;
};

// Makes a schedule that is not in use yet. Returns false without memory.
bool schedule_init(struct schedule *s, struct system *system);
void schedule_destroy(struct schedule *s);

// Begins a run with that strategy and that seed. If it learns, each access is noted.
void schedule_begin(struct schedule *s, enum strategy strategy, uint64_t seed, bool learns);

// Takes what the run has shown for the next ones: words, if it has learnt, and how many accesses
// there were. Returns how many words are new.
uint64_t schedule_end(struct schedule *s);

// True if a run of the schedule has begun and not ended.
static inline bool schedule_is_on(const struct schedule *s) {
    return s->system != NULL && s->system->observer == &s->observer;
}

// Returns the hart that executes next, of those that can run (a bit for each); NULL if there are
// none, or all are blocked.
struct hart *schedule_choose(struct schedule *s, uint32_t can_run);

// The hart has executed that many instructions.
void schedule_ran(struct schedule *s, uint64_t instructions);

// All harts are blocked, or wait for interrupts that will not come. Returns true if those that are
// blocked look once more, at words that are not watched, too: they do if something has changed
// since the last time.
bool schedule_looks_again(struct schedule *s);

// Those harts can go on for another reason than a change of memory: an interrupt, or the time.
void schedule_unblock(struct schedule *s, uint32_t harts);
