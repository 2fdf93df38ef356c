// A machine that stands still until a program lets it run.
#include "command/observed.h"
#include "command/console.h"
#include "command/observed_schedule.h"
#include "command/run.h"
#include "command/socket.h"
#include "cpu/access.h"
#include "debug/remote.h"

enum { SLICE = 1000000, RECEIVE_BYTES = 4096 };

struct observation {
    struct machine *machine;
    struct history history; // of which nothing is kept
    struct remote remote;
    bool is_running, is_left;
    bool is_over; // the machine has ended
    enum machine_stop stop;
};

// Whatever a hart has written can be seen by everybody now.
static void hold(struct observation *o, enum remote_reason reason) {
    struct system *s = &o->machine->system;
    for (unsigned i = 0; i < s->hart_count; i++)
        access_drain(&s->harts[i]);
    console_flush();
    s->breakpoints.stepped = NULL;
    o->is_running = false;
    if (!memory_file_update(o->machine)) {
        o->is_left = true;
        o->stop = STOP_NO_MEMORY;
        return;
    }
    remote_stopped(&o->remote, reason);
}

static void reach_end(struct observation *o, enum machine_stop stop) {
    o->is_over = true;
    o->stop = stop;
    session_print(&o->remote, run_reason(stop));
    hold(o, REMOTE_INTERRUPTED);
}

static void go_on(struct observation *o) {
    o->is_running = !o->is_over;
    if (!o->is_over)
        return;
    remote_exited(&o->remote, machine_exit_status(o->machine)); // 0 if it was not the guest's wish
    o->is_left = true;
}

static void serve(struct observation *o) {
    switch (o->remote.wish) {
    case WISH_NOTHING:
        break;
    case WISH_STEP:
        o->machine->system.breakpoints.stepped = &o->machine->system.harts[o->remote.wish_hart];
        go_on(o);
        break;
    case WISH_RUN:
        go_on(o);
        break;
    case WISH_STEP_BACK:
    case WISH_RUN_BACK:
        hold(o, REMOTE_BEGINNING);
        break;
    case WISH_INTERRUPT:
        if (o->is_running)
            hold(o, REMOTE_INTERRUPTED);
        break;
    case WISH_DETACH:
    case WISH_KILL:
        o->is_left = true;
        break;
    }
}

static void listen_to_program(struct observation *o) {
    uint8_t received[RECEIVE_BYTES];
    if (!o->is_running)
        console_wait();
    size_t count = socket_receive(received, sizeof received);
    for (size_t i = 0; i < count && !o->is_left; i++) {
        remote_receive(&o->remote, received[i]);
        serve(o);
    }
    o->is_left |= !socket_is_connected();
}

// Harts that wait are not waited for: nothing is typed, so the time until an interrupt is skipped.
static void run_slice(struct observation *o) {
    struct machine *m = o->machine;
    uint64_t end = machine_time(m) + SLICE, wanted = o->remote.stop_time;
    bool is_wanted = wanted > machine_time(m) && wanted <= end;
    enum machine_stop stop = machine_run(m, is_wanted ? wanted : end);
    console_flush();
    if (stop == STOP_BREAKPOINT)
        hold(o, REMOTE_PAUSED);
    else if (stop != STOP_TIME)
        reach_end(o, stop);
    else if (is_wanted)
        hold(o, REMOTE_INTERRUPTED);
}

enum machine_stop observed_run(struct machine *m, int socket) {
    static struct observation o; // it is too large for a stack
    o = (struct observation){.machine = m, .history.machine = m, .stop = STOP_TIME};
    socket_adopt(socket);
    console_wait_for(socket);
    remote_init(&o.remote, &o.history, socket_send, NULL);
    o.remote.serve_more = observed_schedule_serve;
    if (!memory_file_update(m))
        return STOP_NO_MEMORY;
    while (!o.is_left) {
        listen_to_program(&o);
        if (o.is_running && !o.is_left)
            run_slice(&o);
    }
    console_flush();
    socket_disconnect();
    return o.stop;
}
