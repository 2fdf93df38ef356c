// An assertion that fails ends the module's work with a trap.
#pragma once

#define assert(condition) ((condition) ? (void)0 : __builtin_trap())
#define static_assert _Static_assert
