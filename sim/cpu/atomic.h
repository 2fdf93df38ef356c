// Atomic instructions (A extension).
#pragma once
#include "cpu/hart.h"

// Executes an atomic operation on the word at va, stores what the word was. Returns false, with the
// exception in h, if it cannot be accessed.
bool atomic_update(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                   uint64_t *old);

// Executes lr, which stores the word, and sc, which stores 0 if it has written and 1 if not.
bool atomic_load_reserved(struct hart *h, const struct operation *op, uint64_t va, uint64_t *value);
bool atomic_store_conditional(struct hart *h, const struct operation *op, uint64_t va, uint64_t b,
                              uint64_t *failed);
