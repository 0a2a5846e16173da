#include "data_gen/text_set.h"

#include "base/memory.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

/* A byte as it is compared: letters of ASCII small, any white space a space. */
static inline unsigned char folded(unsigned char c)
{
    const bool is_space = c >= '\t' && c <= '\r';
    const bool is_upper = c >= 'A' && c <= 'Z';
    return is_space ? ' ' : is_upper ? c | 0x20 : c;
}

static bool ends_sentence(char c)
{
    return c != '\0' && strchr(" .,;:!?", c);
}

/* Spaces in front go, and of several in a row all but one. */
static void spaces_squeeze(char *text)
{
    char *to = text;
    const char *from = text + strspn(text, " ");
    for (const char *gap; (gap = strstr(from, "  ")) != NULL;) {
        const size_t kept = (size_t)(gap + 1 - from);
        memmove(to, from, kept);
        to += kept;
        from = gap + strspn(gap, " ");
    }
    memmove(to, from, strlen(from) + 1);
}

char *text_normal(const char *text)
{
    char *normal = memory_duplicate_string(text);
    for (char *at = normal; *at; at++)
        *at = (char)folded((unsigned char)*at);
    spaces_squeeze(normal);
    const size_t whole = strlen(normal);
    size_t length = whole;
    while (length && ends_sentence(normal[length - 1]))
        length--;
    if (length == 0) /* "?" and "!" are not the same */
        length = whole - (whole && normal[whole - 1] == ' ');
    normal[length] = '\0';
    return normal;
}

static void key_of(const char *text, uint64_t key[2])
{
    struct sha256_ctx hash;
    char *normal = text_normal(text);
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, strlen(normal), (const uint8_t *)normal);
    sha256_digest(&hash, sizeof digest, digest);
    memcpy(key, digest, 2 * sizeof *key);
    free(normal);
}

static bool slot_insert(struct text_set *set, const uint64_t key[2])
{
    for (size_t i = key[0] & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
        uint64_t *slot = set->slots[i];
        if (slot[0] == key[0] && slot[1] == key[1])
            return false;
        if (slot[0] == 0 && slot[1] == 0) {
            slot[0] = key[0];
            slot[1] = key[1];
            return true;
        }
    }
}

static void grow(struct text_set *set)
{
    struct text_set larger = {.capacity = set->capacity ? 2 * set->capacity : 1024};
    larger.slots = memory_allocate_array(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i][0] || set->slots[i][1])
            larger.count += slot_insert(&larger, set->slots[i]);
    free(set->slots);
    *set = larger;
}

bool text_set_add(struct text_set *set, const char *text)
{
    uint64_t key[2];
    if (2 * (set->count + 1) > set->capacity)
        grow(set);
    key_of(text, key);
    const bool added = slot_insert(set, key);
    set->count += added;
    return added;
}

void text_set_release(struct text_set *set)
{
    free(set->slots);
    *set = (struct text_set){0};
}
