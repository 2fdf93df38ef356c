#include "observed.h"

#include "abi/types.h"

// Accesses that observed_access makes are not observed.
NOT_OBSERVED static void note_access(void) {
    static bool is_within;
    if (is_within)
        return;
    is_within = true;
    observed_access();
    is_within = false;
}

// The compilers know these functions and insist on their types.
#define ON_CALL(result, name, ...) \
    result __tsan_##name(__VA_ARGS__); \
    NOT_OBSERVED result __tsan_##name(__VA_ARGS__)

ON_CALL(void, init, void) {}
ON_CALL(void, func_entry, void *caller) {}
ON_CALL(void, func_exit, void *unused) {}
ON_CALL(void, read_range, void *start, long bytes) {
    note_access();
}
ON_CALL(void, write_range, void *start, long bytes) {
    note_access();
}

#define ON_ACCESS(bytes) \
    ON_CALL(void, read##bytes, void *address) { \
        note_access(); \
    } \
    ON_CALL(void, write##bytes, void *address) { \
        note_access(); \
    } \
    ON_CALL(void, unaligned_read##bytes, void *address) { \
        note_access(); \
    } \
    ON_CALL(void, unaligned_write##bytes, void *address) { \
        note_access(); \
    }

ON_ACCESS(1)
ON_ACCESS(2)
ON_ACCESS(4)
ON_ACCESS(8)
ON_ACCESS(16)

// One thread of the host plays all harts, so these need not be atomic. If the kernel comes to use
// others of this kind, the linker will report them as missing.
#define ON_ATOMIC(bits, type) \
    ON_CALL(type, atomic##bits##_load, const volatile void *p, int order) { \
        note_access(); \
        return *(const volatile type *)p; \
    } \
    ON_CALL(void, atomic##bits##_store, volatile void *p, type value, int order) { \
        note_access(); \
        *(volatile type *)p = value; \
    } \
    ON_CALL(type, atomic##bits##_exchange, volatile void *p, type value, int order) { \
        note_access(); \
        type old = *(volatile type *)p; \
        *(volatile type *)p = value; \
        return old; \
    } \
    ON_CALL(type, atomic##bits##_fetch_add, volatile void *p, type value, int order) { \
        note_access(); \
        type old = *(volatile type *)p; \
        *(volatile type *)p = old + value; \
        return old; \
    } \
    ON_CALL(type, atomic##bits##_fetch_sub, volatile void *p, type value, int order) { \
        note_access(); \
        type old = *(volatile type *)p; \
        *(volatile type *)p = old - value; \
        return old; \
    } \
    ON_CALL(type, atomic##bits##_compare_exchange_val, volatile void *p, type wanted, type value, \
            int order, int order_if_not) { \
        note_access(); \
        type old = *(volatile type *)p; \
        if (old == wanted) \
            *(volatile type *)p = value; \
        return old; \
    } \
    ON_CALL(bool, atomic##bits##_compare_exchange_strong, volatile void *p, void *wanted, \
            type value, int order, int order_if_not) { \
        type old = *(type *)wanted; \
        *(type *)wanted = \
            __tsan_atomic##bits##_compare_exchange_val(p, old, value, order, order_if_not); \
        return *(type *)wanted == old; \
    }

ON_ATOMIC(8, uint8_t)
ON_ATOMIC(32, uint32_t)
ON_ATOMIC(64, uint64_t)
