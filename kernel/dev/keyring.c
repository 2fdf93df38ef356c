// The keys are kept in a ring buffer.
#include "dev/keyring.h"
#include "lib/keys.h"
#include "lib/panic.h"
#include "sync/spinlock.h"

enum { KEYS_BYTES = 65536, NUMBER_DIGITS = 4 };

// Locks: all are guarded by the console's lock.
static char keys[KEYS_BYTES];
static size_t put, taken; // counted since boot; the keys in between wait
static bool refusing;     // dropping the rest of a line that had no room

static char key_at(size_t i) {
    return keys[i % KEYS_BYTES];
}

bool keyring_is_empty(void) {
    assert(rank_held(RANK_CONSOLE));
    return taken == put;
}

bool keyring_put(char key) {
    assert(rank_held(RANK_CONSOLE));
    if (!refusing && put - taken < KEYS_BYTES) {
        keys[put++ % KEYS_BYTES] = key;
        return true;
    }
    while (!refusing && put > taken && !keyring_ends_line(key_at(put - 1)))
        put--;
    refusing = !keyring_ends_line(key);
    return false;
}

char keyring_first(void) {
    assert(!keyring_is_empty());
    return key_at(taken);
}

char keyring_take(void) {
    char key = keyring_first();
    taken++;
    return key;
}

void keyring_clear(void) {
    assert(rank_held(RANK_CONSOLE));
    taken = put;
    refusing = false;
}

// Reads the decimal number that the keys before `end` form; returns where it starts.
static size_t number_before(size_t end, int *number) {
    size_t start = end;
    *number = 0;
    for (int unit = 1; start > taken && end - start < NUMBER_DIGITS; unit *= 10) {
        char digit = key_at(start - 1);
        if (digit < '0' || digit > '9')
            break;
        *number += unit * (digit - '0');
        start--;
    }
    return start;
}

bool keyring_take_report(int *column) {
    assert(rank_held(RANK_CONSOLE));
    int row;
    size_t place = number_before(put, column);
    if (place == put || place == taken || key_at(place - 1) != ';')
        return false;
    size_t start = number_before(place - 1, &row);
    if (start == place - 1 || start - taken < 2 || key_at(start - 1) != '[')
        return false;
    if (key_at(start - 2) != KEY_ESCAPE)
        return false;
    put = start - 2;
    return true;
}
