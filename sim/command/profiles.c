// The names of what a machine does that is not kind.
#include "command/profiles.h"
#include "cpu/profile.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bits;
} known[] = {
    {"kind", 0},
    {"tlb", PROFILE_TLB},
    {"svade", PROFILE_SVADE},
    {"icache", PROFILE_ICACHE},
    {"stores", PROFILE_STORES},
    {"timing", PROFILE_TIMING},
    {"all", PROFILE_TLB | PROFILE_ICACHE | PROFILE_STORES | PROFILE_TIMING},
};

bool profiles_read(const char *text, uint32_t *bits) {
    const size_t count = sizeof known / sizeof known[0];
    *bits = 0;
    for (const char *word = text;; word++) {
        size_t length = strcspn(word, ","), i = 0;
        while (i < count &&
               (strlen(known[i].name) != length || strncmp(word, known[i].name, length) != 0))
            i++;
        if (i == count)
            return false;
        *bits |= known[i].bits;
        word += length;
        if (*word == '\0')
            return true;
    }
}
