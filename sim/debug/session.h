// A debugger that is connected: what it has asked for, and how it is answered.
#pragma once
#include "debug/history.h"
#include "debug/packets.h"
#include "debug/view.h"

enum remote_wish {
    WISH_NOTHING,
    WISH_RUN,
    WISH_STEP,      // of hart `wish_hart`
    WISH_STEP_BACK, // of hart `wish_hart`
    WISH_RUN_BACK,
    WISH_INTERRUPT,
    WISH_DETACH,
    WISH_KILL,
};

struct remote {
    struct packets packets;
    struct history *history;
    enum remote_wish wish; // of the last byte
    unsigned wish_hart;
    unsigned hart;         // that registers and memory belong to
    int step_hart;         // that `s` and `bs` are about; -1: that of the last stop
    unsigned stopped_hart; // of the last stop
    enum view_space space; // of addresses of memory
    uint64_t stop_time;    // where execution ends, in both directions; UINT64_MAX
    // Serves a command of the user's that nobody else knows; returns false if it does not know it,
    // either. May be NULL.
    bool (*serve_more)(struct remote *r, const char *command);
    char stop[80];          // the last answer about a stop
    char out[PACKET_BYTES]; // the answer that is being written
};

// Prints a text in the debugger; only while it waits for a stop, or for the answer to a command.
void session_print(struct remote *r, const char *text);
