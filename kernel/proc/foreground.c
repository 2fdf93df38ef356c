// Job control: which process leads, and which ones Ctrl-C kills.
#include "proc/foreground.h"
#include "abi/errno.h"
#include "dev/console.h"
#include "lib/panic.h"
#include "lib/print.h"
#include "proc/proc.h"
#include "sched/schedule.h"
#include "sched/stop.h"

// Locks: [I] set at boot, [p] proc_table_lock.
static bool spares_first;      // [I]
static pid_t leader;           // [p] 0: no process has read yet
static bool leader_reads_keys; // [p]

static bool in_background(const struct proc *p) {
    assert(spin_held(&proc_table_lock));
    while (p != NULL && !p->orphan)
        p = p->parent;
    return p != NULL;
}

static bool leader_lives(void) {
    assert(spin_held(&proc_table_lock));
    const struct proc *p = proc_find(leader);
    return p != NULL && !p->zombie;
}

// Called when the running process begins to read, and after each wake-up before it waits again.
static int note_reader(bool wants_keys) {
    const struct proc *self = current_proc();
    spin_lock(&proc_table_lock);
    int error = in_background(self) ? -EIO : 0;
    if (error == 0 && (wants_keys || !leader_lives())) {
        leader = self->pid;
        leader_reads_keys = wants_keys;
    }
    spin_unlock(&proc_table_lock);
    return error;
}

static bool descends_from_leader(const struct proc *p) {
    assert(spin_held(&proc_table_lock));
    for (p = p->parent; p != NULL; p = p->parent) {
        if (p->pid == leader)
            return true;
    }
    return false;
}

static bool is_victim(const struct proc *p, bool all) {
    return !p->zombie && (all || (descends_from_leader(p) && !in_background(p)));
}

// Says what is about to be killed: the job, whose first process is the victim, or all processes.
// Called before they are killed, because from then on one may end at any moment, and the shell's
// prompt may follow.
static void announce(const struct proc *victim, bool all) {
    if (all)
        print("^C\nkilling process 1 (%s), which powers the machine off\n", victim->name);
    else
        print("^C\n");
}

// Kills the job; returns whether there was one.
static bool interrupt(void) {
    bool any = false;
    spin_lock(&proc_table_lock);
    bool leads = leader_lives();
    bool all = !spares_first && !(leads && leader_reads_keys);
    for (struct proc *p = proc_next(1); p != NULL && (all || leads); p = proc_next(p->pid + 1)) {
        if (!is_victim(p, all))
            continue;
        if (!any)
            announce(p, all);
        any = true;
        task_kill(&p->task);
    }
    spin_unlock(&proc_table_lock);
    return any;
}

static void list_processes(void) {
    static const char *const states[] = {
        [PROCESS_RUNNING] = "running",
        [PROCESS_RUNNABLE] = "runnable",
        [PROCESS_SLEEPING] = "sleeping",
        [PROCESS_ZOMBIE] = "zombie",
    };
    print("\n  pid parent state     pages name\n");
    sched_stop_others();
    for (const struct proc *p = proc_next(1); p != NULL; p = proc_next(p->pid + 1)) {
        struct procinfo info;
        proc_describe(p, &info);
        print("%5d %6d %-8s %6lu %s\n", info.pid, info.parent, states[info.state],
              (unsigned long)info.pages_resident, info.name);
    }
    sched_resume_others();
}

void foreground_init(bool spares) {
    static const struct console_hooks hooks = {
        .interrupt = interrupt, .list = list_processes, .reader = note_reader};
    spares_first = spares;
    console_set_hooks(&hooks);
}
