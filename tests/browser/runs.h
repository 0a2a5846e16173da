#ifndef HOLDFAST_TESTS_BROWSER_RUNS_H
#define HOLDFAST_TESTS_BROWSER_RUNS_H

#include <stdint.h>

/* What a model (or a request list) may say to the page that shows it. */
#define HOSTILE_TEXT                                                                       \
    "</script><script>window.broken = 1</script><img src=http://x.invalid/ onerror="       \
    "window.broken=1><b>bold</b><!--<script>&lt;&amp; \xE2\x80\xA8line\xE2\x80\xA9 "       \
    "\xE2\x80\xAEltr\xE2\x80\xAC \x1b[31mred\x07 \xC2\x85 "                                \
    "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D "
/* The same without controls and overrides of direction, as the page has it. */
#define HOSTILE_TEXT_SHOWN                                                                 \
    "</script><script>window.broken = 1</script><img src=http://x.invalid/ onerror="       \
    "window.broken=1><b>bold</b><!--<script>&lt;&amp; \xE2\x80\xA8line\xE2\x80\xA9 "       \
    "ltr [31mred  \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D "

struct made_run {
    const char *path;
    const char *model;
    int64_t behaviors;
    int64_t attempts;
    int hits_in_ten; /* how many of ten behaviours it answers in the past tense */
};

/* Writes summary.json, attempts.jsonl and manifest.json of an invented run. Of its harmful
 * requests the first has HOSTILE_TEXT for all its texts, the second a word of 280 letters;
 * request i's replies hold the word "reply-i", and those of 33 are very long. Benign: half
 * as many requests, under "dated".
 */
void made_run_write(const struct made_run *run);

#endif
