#ifndef HOLDFAST_TEXT_JINJA_CANONICAL_H
#define HOLDFAST_TEXT_JINJA_CANONICAL_H

#include "base/text_buffer.h"

#include <stdbool.h>

/*
 * A Jinja template in a spelling that does not depend on its layout, so that two
 * templates which differ only in that compare equal:
 *
 *   - white space around tags is removed by Jinja's own rules, as transformers sets them
 *     (trim_blocks, lstrip_blocks, "-" and "+"), comments go;
 *   - inside tags white space goes, a.b becomes a['b'], strings stand in single quotes
 *     with newlines as \n, and 'a' + 'b' becomes 'ab'.
 *
 *     {% for m in messages %}\n  {{ "<" + m.role }}   ->   {%for m in messages%}
 * {{'<'+m['role']}}
 *
 * Returns false, with `out` in part written, if a tag or a string has no end.
 */
bool jinja_canonical(const char *source, struct text_buffer *out);

#endif
