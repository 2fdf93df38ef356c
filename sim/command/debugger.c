// A machine between its user, who types, and a debugger.
#include "command/debugger.h"
#include "command/console.h"
#include "command/run.h"
#include "command/socket.h"
#include "cpu/breakpoints.h"
#include "debug/remote.h"
#include "debug/reverse.h"
#include "memory/host.h"

#include <inttypes.h>
#include <stdio.h>

enum { RECEIVE_BYTES = 4096 };

struct debugger {
    struct machine *machine;
    struct history history;
    struct remote remote;
    uint64_t end;
    uint64_t next_look, idle_at_look; // at what is typed
    bool is_dead;                     // only what is typed can wake the harts
    bool is_held;                     // waits for what the debugger wants
    bool is_left;                     // the simulator is to end
    bool is_over;                     // the machine has ended, and can only go back
    enum machine_stop stop;           // why it has ended
    uint8_t received[RECEIVE_BYTES];
    size_t received_count, next; // bytes, and the first that was not looked at
};

const char *debugger_open(const char *where) {
    const char *problem = socket_open(where);
    console_wait_for(socket_descriptor());
    return problem;
}

// ---- Stops ----

static void hold(struct debugger *d, enum remote_reason reason) {
    d->is_held = true;
    d->machine->system.breakpoints.stepped = NULL;
    if (socket_is_connected())
        remote_stopped(&d->remote, reason);
}

// The machine cannot go on. Who debugs it may want to go back.
static void reach_end(struct debugger *d, enum machine_stop stop) {
    d->is_over = true;
    d->stop = stop;
    d->is_left = !socket_is_connected();
    if (d->is_left)
        return;
    session_print(&d->remote, "The machine cannot go on: ");
    session_print(&d->remote, run_reason(stop));
    session_print(&d->remote, ". You can go back; continue ends the simulator.\n");
    hold(d, REMOTE_PAUSED);
}

static void go_on(struct debugger *d) {
    if (!d->is_over) {
        d->is_held = false;
        return;
    }
    remote_exited(&d->remote, d->stop == STOP_FINISHED ? machine_exit_status(d->machine) : 1);
    d->is_left = true;
}

// ---- What the debugger wants ----

static bool receive(struct debugger *d) {
    if (d->next == d->received_count) {
        d->next = 0;
        d->received_count = socket_receive(d->received, sizeof d->received);
    }
    return d->next < d->received_count;
}

// True if the user has pressed Ctrl-C in the debugger while the machine goes back.
static bool interrupts(void *owner) {
    struct debugger *d = owner;
    if (!receive(d) || d->received[d->next] != 3)
        return false;
    d->next++;
    return true;
}

static void go_back(struct debugger *d, bool is_step) {
    static const enum remote_reason reasons[] = {
        [REVERSE_STOPPED] = REMOTE_PAUSED,
        [REVERSE_BEGINNING] = REMOTE_BEGINNING,
        [REVERSE_INTERRUPTED] = REMOTE_INTERRUPTED,
    };
    uint64_t time = machine_time(d->machine);
    uint64_t least = d->remote.stop_time <= time ? d->remote.stop_time : 0;
    enum reverse_end end = is_step ? reverse_step(&d->history, d->remote.wish_hart)
                                   : reverse_run(&d->history, least, interrupts, d);
    d->is_over = d->is_dead = false;
    if (end == REVERSE_NO_MEMORY)
        reach_end(d, STOP_NO_MEMORY);
    else
        hold(d, reasons[end]);
}

static void let_go(struct debugger *d) {
    breakpoints_remove_all(&d->machine->system);
    d->is_held = false;
    d->is_left |= d->is_over;
}

static void serve(struct debugger *d) {
    switch (d->remote.wish) {
    case WISH_NOTHING:
        break;
    case WISH_STEP:
        d->machine->system.breakpoints.stepped = &d->machine->system.harts[d->remote.wish_hart];
        go_on(d);
        break;
    case WISH_RUN:
        go_on(d);
        break;
    case WISH_STEP_BACK:
    case WISH_RUN_BACK:
        go_back(d, d->remote.wish == WISH_STEP_BACK);
        break;
    case WISH_INTERRUPT:
        if (!d->is_held)
            hold(d, REMOTE_INTERRUPTED);
        break;
    case WISH_DETACH:
        socket_disconnect();
        let_go(d);
        break;
    case WISH_KILL:
        d->is_left = true;
        break;
    }
}

// Does what the debugger has asked for so far, and stops the machine for one that is new.
static void listen_to_debugger(struct debugger *d) {
    if (socket_accept()) {
        d->received_count = d->next = 0;
        remote_init(&d->remote, &d->history, socket_send, NULL);
        d->is_held = true;
    }
    bool was_connected = socket_is_connected();
    while (!d->is_left && receive(d)) {
        remote_receive(&d->remote, d->received[d->next++]);
        serve(d);
    }
    if (was_connected && !socket_is_connected() && d->remote.wish != WISH_DETACH) {
        fputs("sim: the debugger has gone; the machine runs on\n", stderr);
        let_go(d);
    }
    console_wait_for(socket_descriptor());
}

// ---- Running ----

static void type(void *owner, uint8_t byte) {
    struct debugger *d = owner;
    history_type(&d->history, byte);
}

// Lets the user type. What was typed in the past is typed again by the history.
static void look_at_console(struct debugger *d) {
    uint64_t idle = machine_idle_time(d->machine) - d->idle_at_look;
    enum run_end end = run_type(d->machine, d->is_dead, idle, type, d);
    d->is_dead = false;
    if (end == RUN_DEAD)
        reach_end(d, STOP_IDLE);
    d->is_left |= end == RUN_LEFT;
    d->next_look = machine_time(d->machine) + RUN_SLICE;
    d->idle_at_look = machine_idle_time(d->machine);
}

// Returns when the machine is to stop for somebody. The times at which the console is looked at are
// the same as without a debugger, so that a file is typed at the same times.
static uint64_t next_stop(struct debugger *d, uint64_t end) {
    uint64_t now = machine_time(d->machine);
    if (d->next_look > d->history.reached + RUN_SLICE) // there is a new future
        d->next_look = d->history.reached + RUN_SLICE;
    uint64_t next = history_is_new(&d->history) ? d->next_look : now + RUN_SLICE;
    return next < end ? next : end;
}

// What is typed comes after a stop at the same time, as it does when the time is gone through
// again.
static void run_slice(struct debugger *d) {
    struct machine *m = d->machine;
    uint64_t wanted = d->remote.stop_time;
    bool is_wanted = socket_is_connected() && wanted > machine_time(m) && wanted < d->end;
    uint64_t end = is_wanted ? wanted : d->end;
    if (history_is_new(&d->history) && (d->is_dead || machine_time(m) >= d->next_look)) {
        look_at_console(d);
        if (d->is_left || d->is_held)
            return;
    }
    enum machine_stop stop = history_run(&d->history, next_stop(d, end));
    console_flush();
    d->is_dead = stop == STOP_IDLE;
    bool is_access = m->system.breakpoints.pause.reason == PAUSE_WATCHPOINT;
    if (stop == STOP_BREAKPOINT && is_access && !reverse_access(&d->history))
        stop = STOP_NO_MEMORY;
    if (stop == STOP_BREAKPOINT)
        hold(d, REMOTE_PAUSED);
    else if ((stop != STOP_TIME && stop != STOP_IDLE) || machine_time(m) >= d->end)
        reach_end(d, stop);
    else if (console_leaves())
        d->is_left = true;
    else if (is_wanted && machine_time(m) == wanted)
        hold(d, REMOTE_INTERRUPTED);
}

enum machine_stop debugger_run(struct machine *m, uint64_t end) {
    struct debugger *d = host_alloc(sizeof *d);
    if (d == NULL || !history_init(&d->history, m)) {
        host_free(d);
        return STOP_NO_MEMORY;
    }
    d->machine = m;
    d->end = end;
    d->is_held = true;
    d->stop = STOP_TIME;
    d->remote.stop_time = UINT64_MAX;
    d->next_look = RUN_SLICE;
    while (!d->is_left) {
        listen_to_debugger(d);
        if (d->is_left)
            break;
        if (!d->is_held)
            run_slice(d);
        else if (console_leaves() || (console_wait(), console_leaves()))
            break;
    }
    console_flush();
    enum machine_stop stop = d->stop;
    socket_disconnect();
    history_destroy(&d->history);
    host_free(d);
    return stop;
}
