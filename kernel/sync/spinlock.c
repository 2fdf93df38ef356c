// Spin locks and the check of their order.
#include "sync/spinlock.h"
#include "lib/panic.h"

static const char *const rank_names[] = {
#define RANK_NAME(rank) [RANK_##rank] = #rank
    RANK_NAME(TRANSACTION), RANK_NAME(REMOVAL), RANK_NAME(DIRECTORY), RANK_NAME(INODE),
    RANK_NAME(ALLOCATE),    RANK_NAME(BLOCK),   RANK_NAME(LOG),       RANK_NAME(PIPE),
    RANK_NAME(CONSOLE),     RANK_NAME(INODES),  RANK_NAME(CACHE),     RANK_NAME(DISK),
    RANK_NAME(PROCS),       RANK_NAME(MUTEX),   RANK_NAME(SCHED),     RANK_NAME(SHARED),
    RANK_NAME(POOL),        RANK_NAME(FRAMES),  RANK_NAME(UART),
};
_Static_assert(sizeof rank_names / sizeof rank_names[0] == RANK_UART + 1, "each rank has a name");

// Out of line, so that the way of every lock stays short.
static __attribute__((noinline)) _Noreturn void refuse(enum lock_rank rank, uint64_t held) {
    unsigned highest = RANK_UART;
    while (highest > 0 && !(held >> highest & 1))
        highest--;
    panic("lock order: rank %s taken while holding %s (ranks 0x%lx): is a return without "
          "spin_unlock before this?",
          rank_names[rank], rank_names[highest], (unsigned long)held);
}

void rank_take(enum lock_rank rank) {
    struct thread *self = thread_self();
    if (self->ranks_held >> rank != 0)
        refuse(rank, self->ranks_held);
    self->ranks_held |= 1ull << rank;
}

void rank_drop(enum lock_rank rank) {
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
    enum lock_rank rank =
        l->rank; // afterwards the memory may be another's: a pipe ends with its last end
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELEASE);
    rank_drop(rank);
}

bool spin_held(const struct spinlock *l) {
    return __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == thread_self();
}
