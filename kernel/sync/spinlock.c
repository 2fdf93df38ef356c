// Spin locks and the check of their order.
#include "sync/spinlock.h"
#include "lib/panic.h"

void rank_take(enum lock_rank rank) {
    struct thread *self = thread_self();
    if (self->ranks_held >> rank != 0)
        panic("lock order: rank %d taken while holding ranks 0x%lx", rank, (unsigned long)self->ranks_held);
    self->ranks_held |= 1ull << rank;
}

void rank_drop(enum lock_rank rank) { thread_self()->ranks_held &= ~(1ull << rank); }

void spin_lock(struct spinlock *l) {
    rank_take(l->rank);
    struct thread *free = NULL;
    while (!__atomic_compare_exchange_n(&l->owner, &free, thread_self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        free = NULL;
}

void spin_unlock(struct spinlock *l) {
    assert(spin_held(l));
    enum lock_rank rank = l->rank; // afterwards the memory may be another's: a pipe ends with its last end
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELEASE);
    rank_drop(rank);
}

bool spin_held(const struct spinlock *l) { return __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == thread_self(); }
