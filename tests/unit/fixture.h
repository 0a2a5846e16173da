#ifndef HOLDFAST_TESTS_FIXTURE_H
#define HOLDFAST_TESTS_FIXTURE_H

/* What most unit tests need: cmocka, a scratch folder, an error to look at. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

static char scratch_folder[64];
static struct error error;

static inline int scratch_make(void **state)
{
    (void)state;
    strcpy(scratch_folder, "/tmp/holdfast-test-XXXXXX");
    error = (struct error){0};
    return mkdtemp(scratch_folder) ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    (void)state;
    return file_remove_tree(scratch_folder, &error) == STATUS_OK ? 0 : -1;
}

/* A path in the scratch folder, in one of a few static places. */
static inline const char *scratch_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

static inline const char *scratch_file(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    assert_int_equal(file_write_all(path, text, strlen(text), &error), STATUS_OK);
    return path;
}

static inline void assert_message(const char *part)
{
    if (!strstr(error.message, part))
        fail_msg("no \"%s\" in \"%s\"", part, error.message);
}

static inline void assert_ok(enum status status)
{
    if (status)
        fail_msg("%s", error.message);
}

#endif
