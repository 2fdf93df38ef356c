// GDB's remote serial protocol, as the machine answers it: threads are harts, numbered from 1. What
// takes time is only noted as a wish, which the caller fulfills.
#pragma once
#include "debug/session.h"

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
