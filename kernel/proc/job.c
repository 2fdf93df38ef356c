// What the console asks of the process table.
#include "proc/job.h"

#include "dev/console.h"
#include "lib/print.h"
#include "proc/proc.h"
#include "sched/schedule.h"

static pid_t leader; // [p] 0: nobody has read yet

static void note_reader(void) {
    spin_lock(&proc_table_lock);
    const struct proc *p = proc_find(leader);
    if (leader == 0 || p == NULL || p->pid != leader || p->zombie) leader = current_proc()->pid;
    spin_unlock(&proc_table_lock);
}

static void interrupt_job(void) { proc_kill_descendants(leader != 0 ? leader : 1); }

static void list_processes(void) {
    static const char *const states[] = {"running", "runnable", "sleeping", "zombie"};
    print("\n  pid parent state     pages name\n");
    sched_stop_others();
    for (const struct proc *p = proc_find(1); p != NULL; p = proc_find(p->pid + 1)) {
        struct procinfo info;
        proc_describe(p, &info);
        print("%5d %6d %-8s %6lu %s\n", info.pid, info.parent, states[info.state], (unsigned long)info.pages_resident,
              info.name);
    }
    sched_resume_others();
}

void job_init(void) {
    static const struct console_hooks hooks = {
        .interrupt = interrupt_job, .list = list_processes, .reader = note_reader};
    console_set_hooks(&hooks);
}
