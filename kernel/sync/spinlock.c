// Spin locks and the check of their order.
#include "sync/spinlock.h"
#include "lib/format.h"
#include "lib/panic.h"

// Out of line, so that taking a lock stays short.
static __attribute__((noinline)) _Noreturn void refuse(enum lock_rank rank, uint64_t held) {
    static const char *const names[] = {
#define NAME(name, guards) #name,
        RANKS(NAME)
#undef NAME
    };
    char list[256];
    size_t length = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (held >> i & 1)
            length += format(list + length, sizeof list - length, "%s%s", length > 0 ? ", " : "",
                             names[i]);
    }
    panic("lock order: %s taken while holding %s: is an unlock missing before a return?",
          names[rank], list);
}

void rank_take(enum lock_rank rank) {
    struct thread *self = thread_self();
    if (self->ranks_held >> rank != 0)
        refuse(rank, self->ranks_held);
    self->ranks_held |= 1ull << rank;
}

void rank_drop(enum lock_rank rank) {
    assert(rank_held(rank));
    thread_self()->ranks_held &= ~(1ull << rank);
}

void spin_lock(struct spinlock *l) {
    rank_take(l->rank);
    struct thread *free = NULL;
    while (!__atomic_compare_exchange_n(&l->owner, &free, thread_self(), false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
        free = NULL;
}

void spin_unlock(struct spinlock *l) {
    assert(spin_held(l));
    enum lock_rank rank = l->rank; // once the lock is free, its memory may be, too
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELEASE);
    rank_drop(rank);
}
