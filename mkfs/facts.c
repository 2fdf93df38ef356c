// What the checker learns about an image.
#include "facts.h"

#include <string.h>

// Puts a slash and the name before the text that starts at *start. Returns false if there is no
// room.
static bool prepend(char *buffer, size_t *start, const struct dirent *entry) {
    size_t length = strnlen(entry->name, NAME_BYTES);
    if (*start < length + 8)
        return false;
    *start -= length;
    for (size_t i = 0; i < length; i++) {
        char byte = entry->name[i];
        buffer[*start + i] = byte > ' ' && byte < 127 ? byte : '?';
    }
    buffer[--*start] = '/';
    return true;
}

const char *facts_path(const struct check *c, uint32_t directory, const struct dirent *entry) {
    static char buffers[2][1024];
    static unsigned turn;
    char *buffer = buffers[turn++ % 2];
    size_t start = sizeof buffers[0] - 1;
    if (directory == ROOT_INODE && entry == NULL)
        return "/";
    bool whole = entry == NULL || prepend(buffer, &start, entry);
    while (whole && directory != ROOT_INODE) {
        const struct inode_facts *facts = &c->facts[directory];
        whole = facts->name != NULL && prepend(buffer, &start, facts->name);
        directory = facts->parent;
    }
    return whole ? buffer + start : memcpy(buffer + start - 3, "...", 3);
}
