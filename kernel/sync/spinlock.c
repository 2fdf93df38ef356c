// The message about locks that are taken out of order.
#include "sync/spinlock.h"
#include "lib/format.h"
#include "lib/panic.h"

_Noreturn void rank_refuse(enum lock_rank rank) {
    uint64_t held = thread_self()->ranks_held;
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
