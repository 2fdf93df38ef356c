// The past of a machine, to go back to. What a machine does follows from its state and from what is
// typed, so it is enough to keep snapshots now and then, and the keys with their times: the machine
// goes back to a snapshot, and executes again what came after it. While it does, what it prints and
// what it writes to the disk is not reported again.
#pragma once
#include "snapshot.h"

enum { MOMENTS_MAX = 128 };

// A state that was kept.
struct moment {
    struct snapshot *snapshot;
    uint64_t time;
    size_t inputs; // that were typed before
    bool is_kept;  // is wanted
    bool is_new;   // begins another future: it does not follow from the one before
};

struct input {
    uint64_t time;
    uint8_t byte;
};

struct history {
    struct machine *machine;
    uint64_t interval; // between moments
    uint64_t reached;  // what was done until this time is known outside
    uint64_t pinned;   // time of a moment that must stay
    bool is_changed;   // somebody has changed the state since the machine ran
    unsigned count;
    struct moment moments[MOMENTS_MAX]; // in the order of time
    size_t input_count, input_room, next_input;
    struct input *inputs; // in the order of time
    void (*put)(void *owner, uint8_t byte);
    void *put_owner;
    void (*written)(void *owner, uint64_t start, uint64_t bytes);
    void *written_owner;
};

// Begins the history of a machine, which must not move. What it prints and writes is from now on
// reported by way of the history, once. Returns false without memory.
bool history_init(struct history *h, struct machine *m);
void history_destroy(struct history *h);

// True if the machine has never been later than now, so that something may be typed.
bool history_is_new(const struct history *h);

// As machine_type; only while the history is new.
void history_type(struct history *h, uint8_t byte);

// Tells that registers or memory were changed by hand. What came later in time is forgotten, and
// the disk is reported as a whole if it may have been written there.
void history_changed(struct history *h);

// Keeps this moment for good. Returns false without memory.
bool history_keep(struct history *h);

// As machine_run; what was typed is typed again.
enum machine_stop history_run(struct history *h, uint64_t until);

// As history_run, without stopping for breakpoints and steps.
enum machine_stop history_run_on(struct history *h, uint64_t until);

// Goes back to the last moment that was kept before that time; returns its time. Returns UINT64_MAX
// if there is none, or without memory.
uint64_t history_restore(struct history *h, uint64_t before);

// Goes to a time that was reached, which is not before the first moment. Returns false without
// memory; then the machine cannot go on.
bool history_go(struct history *h, uint64_t time);

// Returns the time of the last moment that is not later than now, and of the first one.
uint64_t history_latest(const struct history *h);
uint64_t history_first(const struct history *h);
