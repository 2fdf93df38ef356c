// Clusters of characters.
#include "lib/cluster.h"
#include "lib/utf8.h"

enum { ASCII_LAST = 0x7f };

static uint32_t character_at(struct text t, size_t i) {
    uint32_t character = 0;
    utf8_decode(t.bytes + i, t.length - i, &character);
    return character;
}

static uint32_t character_before(struct text t, size_t i) {
    while (i > 0) {
        i--;
        if ((t.bytes[i] & 0xc0) != 0x80)
            return character_at(t, i);
    }
    return 0;
}

static size_t skip_character(struct text t, size_t i) {
    char bytes[UTF8_BYTES_MAX];
    return i + utf8_encode(bytes, character_at(t, i));
}

bool cluster_combines(struct text t, size_t i) {
    uint32_t character = character_at(t, i);
    return utf8_width(character) == 0 ||
           (utf8_is_skin_tone(character) && character_before(t, i) > ASCII_LAST);
}

size_t cluster_part_end(struct text t, size_t i, unsigned *width) {
    *width = i < t.length && !cluster_combines(t, i) ? utf8_width(character_at(t, i)) : 0;
    do
        i = skip_character(t, i);
    while (i < t.length && cluster_combines(t, i));
    return i < t.length ? i : t.length;
}

static size_t cluster_end(struct text t, size_t i) {
    unsigned width;
    bool is_flag = utf8_is_flag_letter(character_at(t, i));
    i = cluster_part_end(t, i, &width);
    if (is_flag && utf8_is_flag_letter(character_before(t, i)) &&
        utf8_is_flag_letter(character_at(t, i)))
        i = cluster_part_end(t, i, &width);
    while (character_before(t, i) == UTF8_JOINER && character_at(t, i) > ASCII_LAST)
        i = cluster_part_end(t, i, &width);
    return i;
}

size_t cluster_next(struct text t, size_t i) {
    size_t end = 0;
    while (end <= i && end < t.length)
        end = cluster_end(t, end);
    return end;
}

size_t cluster_previous(struct text t, size_t i) {
    size_t start = 0;
    for (size_t end = 0; end < i; end = cluster_end(t, end))
        start = end;
    return start;
}

static uint32_t shown(struct text t, size_t i) {
    uint32_t character = character_at(t, i);
    if (character == '\t')
        return ' ';
    if (utf8_is_flag_letter(character))
        return utf8_flag_letter(character);
    bool is_shade = utf8_is_skin_tone(character) && cluster_combines(t, i);
    return character == UTF8_JOINER || utf8_is_variant(character) || is_shade ? 0 : character;
}

size_t cluster_show(struct text t, size_t i, uint32_t *character) {
    *character = shown(t, i);
    return skip_character(t, i);
}
