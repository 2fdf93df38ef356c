// Counters of page faults.
#include "vm/faultcount.h"

static uint64_t counts[FAULT_KINDS]; // atomic

void fault_count(enum fault_kind kind) {
    __atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

void fault_stat(struct memstat *stat) {
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        stat->faults[kind] = __atomic_load_n(&counts[kind], __ATOMIC_RELAXED);
}
