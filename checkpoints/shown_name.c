#include "checkpoints/shown_name.h"

#include <stdbool.h>
#include <string.h>

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

struct shown_name show_name(const char *name)
{
    enum { KEPT_BYTES = 95 };
    struct shown_name shown = {{0}};
    size_t count = strlen(name);
    const bool cut = count > KEPT_BYTES;
    if (cut)
        for (count = KEPT_BYTES; count > 0 && continues_character(name[count]); count--) {
        }
    for (size_t i = 0; i < count; i++) {
        const unsigned char c = (unsigned char)name[i];
        shown.text[i] = c < 0x20 || c == 0x7F ? '?' : name[i];
    }
    if (cut)
        memcpy(shown.text + count, "...", 4);
    return shown;
}
