// GDB's remote serial protocol, as the machine answers it: threads are harts, numbered from 1. What
// takes time is only noted as a wish, which the caller fulfills.
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
    unsigned hart;          // that registers and memory belong to
    int step_hart;          // that `s` and `bs` are about; -1: that of the last stop
    unsigned stopped_hart;  // of the last stop
    enum view_space space;  // of addresses of memory
    uint64_t stop_time;     // where execution ends, in both directions; UINT64_MAX
    char stop[80];          // the last answer about a stop
    char out[PACKET_BYTES]; // the answer that is being written
};

// Begins a session with a new client, over a connection to which `send` writes.
void remote_init(struct remote *r, struct history *history,
                 void (*send)(void *owner, const char *bytes, size_t count), void *owner);

// Takes a byte that the client has sent: answers a request, or notes a wish.
void remote_receive(struct remote *r, uint8_t byte);

// Tells the client why and where the machine has stopped.
enum remote_reason { REMOTE_PAUSED, REMOTE_INTERRUPTED, REMOTE_BEGINNING, REMOTE_ENDED };
void remote_stopped(struct remote *r, enum remote_reason reason);

// Tells the client that the machine has gone, with that exit status.
void remote_exited(struct remote *r, int status);

// Prints a text in the debugger; only while it waits for a stop, or for the answer to a command.
void remote_print(struct remote *r, const char *text);
