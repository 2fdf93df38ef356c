// System calls about the console.
#include "dev/console.h"
#include "proc/proc.h"
#include "sys/syscall.h"
#include "vm/usermem.h"

int64_t sys_getkey(const struct registers *u) {
    return console_getkey((int)u->a0);
}

int64_t sys_terminal(const struct registers *u) {
    struct terminal t;
    struct spans s;
    int error = user_spans_all(current_proc()->as, u->a0, sizeof t, ACCESS_WRITE, &s);
    if (error == 0)
        error = console_terminal(&t);
    if (error == 0)
        spans_fill(&s, &t, sizeof t);
    return error;
}
