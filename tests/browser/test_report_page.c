/*
 * report.html in a real browser. Prints "skipped: …" and succeeds where there is none.
 * SCREENSHOTS=FOLDER keeps pictures and the printed page, to be looked at.
 */
#include "browser.h"
#include "runs.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { BEHAVIORS = 40, ATTEMPTS = 3, MANY_BEHAVIORS = 420, MANY_ATTEMPTS = 8 };

static struct browser browser;
static char folder[64];
static char *page;      /* of three runs */
static char *long_page; /* of one with 10,000 attempts */

static char *run_make(const char *name, const char *model, int hits, int64_t behaviors,
                      int64_t attempts)
{
    char *path = path_join(folder, name);
    made_run_write(&(struct made_run){path, model, behaviors, attempts, hits});
    return path;
}

static char *page_make(const char *name, const char *const *runs, size_t count)
{
    struct error error;
    char *path = path_join(folder, name);
    if (report_write(runs, count, path, &error))
        fail_msg("%s", error.message);
    return path;
}

static int setup(void **state)
{
    (void)state;
    struct error error;
    strcpy(folder, "/tmp/test_report_page.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    char *runs[] = {
        run_make("base<b>", HOSTILE_TEXT, 9, BEHAVIORS, ATTEMPTS),
        run_make("mixed", "base and 10% refusals", 3, BEHAVIORS, ATTEMPTS),
        run_make("refuses", "refuses the past", 0, BEHAVIORS, ATTEMPTS),
        run_make("many", "many", 5, MANY_BEHAVIORS, MANY_ATTEMPTS),
    };
    page = page_make("report.html", (const char *const *)runs, 3);
    long_page = page_make("long.html", (const char *const *)(runs + 3), 1);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        free(runs[i]);
    char *program = browser_find();
    const enum status status = browser_open(&browser, program, &error);
    if (status)
        print_error("%s\n", error.message);
    free(program);
    return (int)status;
}

static int teardown(void **state)
{
    (void)state;
    browser_close(&browser);
    free(page);
    free(long_page);
    return (int)file_remove_tree(folder, NULL);
}

/* Every test begins with the page as it opens on a wide, light screen. */
static int visit(void **state)
{
    (void)state;
    browser_media(&browser, "screen", "light");
    browser_viewport(&browser, 1200, 900);
    browser_visit(&browser, page);
    return 0;
}

static void assert_quiet(void)
{
    if (browser.complaints.length)
        fail_msg("the page complains: %s", text_buffer_string(&browser.complaints));
    if (browser.requests.length)
        fail_msg("the page asked for: %s", text_buffer_string(&browser.requests));
}

static void assert_string(const char *expression, const char *expected)
{
    char *found = browser_string(&browser, expression);
    if (strcmp(found, expected) != 0)
        fail_msg("%s is '%s', not '%s'", expression, found, expected);
    free(found);
}

static void assert_true_there(const char *expression)
{
    if (!browser_truth(&browser, expression))
        fail_msg("not so: %s", expression);
}

static void run_script(const char *script)
{
    cJSON_Delete(browser_evaluate(&browser, script));
}

/* Keeps a picture of the page as it is, if somebody wants to see it. */
static void keep_picture(const char *name)
{
    const char *where = getenv("SCREENSHOTS");
    if (!where || !*where)
        return;
    char *path = path_join(where, name);
    browser_picture(&browser, path);
    free(path);
}

static void all_sections_are_there(void **state)
{
    (void)state;
    assert_string("Array.from(document.querySelectorAll('section'))"
                  ".map((s) => s.getAttribute('aria-labelledby')).join(' ')",
                  "tense-h paired-h tradeoff-h discrimination-h refusal-h attempts-h "
                  "category-h outcome-h agreement-h transcripts-h manifest-h");
    assert_true_there("Array.from(document.querySelectorAll('section'))"
                      ".every((s) => s.getBoundingClientRect().height > 60)");
    assert_true_there("document.querySelectorAll('svg.plot').length >= 8");
    /* side by side: each run is named in its figures' tables */
    assert_true_there(
        "['tense', 'attempts', 'category', 'outcome'].every((id) => ['mixed', 'refuses']"
        ".every((run) => document.getElementById(id + '-h').parentElement.querySelector("
        "'table').textContent.includes(run)))");
    assert_true_there(
        "Array.from(document.querySelectorAll('section[aria-labelledby=paired-h] "
        "tbody tr')).filter((row) => /past tense/.test(row.textContent) && "
        "/<0.0001/.test(row.lastElementChild.textContent)).length === 2");
    assert_string("document.querySelector('section[aria-labelledby=agreement-h] tbody tr')"
                  ".innerText.split(/\\s+/).slice(0, 5).join(' ')",
                  "base<b> past tense rules xstest");
    assert_quiet();
    keep_picture("light.png");
}

static void nothing_sticks_out(void **state)
{
    (void)state;
    static const int widths[] = {1200, 800, 400};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        browser_viewport(&browser, widths[i], 900);
        if (browser_number(&browser, "document.documentElement.scrollWidth") > widths[i])
            fail_msg("the page is wider than a screen of %d pixels", widths[i]);
    }
    run_script("document.querySelector('.case').open = true");
    keep_picture("narrow.png");
}

/* Waits until the search has been applied: its timer is 120 ms. */
static void search(const char *words)
{
    struct text_buffer script = {0};
    text_buffer_append(&script, "new Promise((done) => { const box = "
                                "document.getElementById('search'); box.value = ");
    text_buffer_append_json(&script, words, strlen(words));
    text_buffer_append(&script,
                       "; new MutationObserver((m, o) => { o.disconnect(); done(); })"
                       ".observe(document.getElementById('found'), "
                       "{ childList: true }); "
                       "box.dispatchEvent(new Event('input', { bubbles: true })); })");
    run_script(text_buffer_string(&script));
    text_buffer_release(&script);
}

static void choose(const char *id, const char *value)
{
    struct text_buffer script = {0};
    text_buffer_appendf(&script,
                        "{ const list = document.getElementById('%s'); "
                        "list.value = ",
                        id);
    text_buffer_append_json(&script, value, strlen(value));
    text_buffer_append(&script, "; list.dispatchEvent(new Event('change', "
                                "{ bubbles: true })); }");
    run_script(text_buffer_string(&script));
    text_buffer_release(&script);
}

static void assert_found(const char *words)
{
    assert_string("document.getElementById('found').textContent", words);
}

static void search_and_filters_leave_what_fits(void **state)
{
    (void)state;
    assert_found("1–50 of 380"); /* 40 x 3 x 3 and 20 benign */
    search("reply-18.");
    assert_found("1–10 of 10 (all: 380)"); /* three attacks, and benign 18 */
    assert_true_there("document.querySelectorAll('#cases .case').length === 10");
    choose("attack", "\"past\"");
    assert_found("1–3 of 3 (all: 380)");
    choose("left-outcome", "\"refused\"");
    assert_found("1–1 of 1 (all: 380)"); /* (18 * 7 + 3) % 10 = 9, and nine of ten hit */
    search("no such words");
    assert_found("Nothing matches.");
    search("");
    choose("left-outcome", "");
    choose("attack", "");
    choose("set", "\"benign:dated\"");
    assert_found("1–20 of 20 (all: 380)");
    assert_quiet();
}

static void the_pager_turns(void **state)
{
    (void)state;
    run_script("document.getElementById('next').click()");
    assert_found("51–100 of 380");
    run_script("document.getElementById('previous').click()");
    assert_found("1–50 of 380");
    assert_true_there("document.getElementById('previous').disabled");
}

static void transcripts_are_sorted(void **state)
{
    (void)state;
    choose("set", "\"harmful\"");
    choose("sort", "longest left reply");
    run_script("document.getElementById('open-all').click()");
    run_script("new Promise((done) => setTimeout(done, 100))");
    assert_true_there(
        "(() => { const sizes = Array.from(document.querySelectorAll('.case'))"
        ".map((c) => c.querySelector('.pair .reply').textContent.length);"
        " return sizes.length === 50 && sizes[0] > sizes[49] &&"
        " sizes.every((size, i) => i === 0 || size <= sizes[i - 1]); })()");
    choose("sort", "attempt");
    assert_true_there(
        "/attempt 1$/.test(document.querySelector('.case small').textContent)");
    choose("sort", "category");
    assert_true_there("document.querySelector('.case small').textContent"
                      ".includes('</script>')"); /* '<' comes before letters */
    assert_quiet();
}

/* Of the colours that a browser gives, the brightness from 0 to 255. */
#define BRIGHTNESS(property)                                                               \
    "(() => { const c = getComputedStyle(document.documentElement)." property              \
    ".match(/[\\d.]+/g).map(Number); return (c[0] + c[1] + c[2]) / 3; })()"

static void tables_are_sorted(void **state)
{
    (void)state;
    assert_true_there(
        "(() => { const table = document.querySelector('section[aria-labelledby=paired-h] "
        "table'), heading = table.tHead.rows[0].cells[2], button = "
        "heading.querySelector('button'); const read = () => Array.from("
        "table.tBodies[0].rows, (row) => parseFloat(row.cells[2].textContent)).filter("
        "(n) => !isNaN(n)); const before = read(); button.click(); const up = read(); "
        "const first = heading.getAttribute('aria-sort'); button.click(); const down = "
        "read(); return new Set(before).size > 1 && up.length === before.length && "
        "up.every((n, i) => !i || up[i - 1] <= n) && down.every((n, i) => !i || "
        "down[i - 1] >= n) && first === 'ascending' && "
        "heading.getAttribute('aria-sort') === 'descending'; })()");
    assert_quiet();
}

static void dark_mode_is_followed(void **state)
{
    (void)state;
    assert_true(browser_number(&browser, BRIGHTNESS("backgroundColor")) > 230);
    assert_true(browser_number(&browser, BRIGHTNESS("color")) < 60);
    browser_media(&browser, "screen", "dark");
    assert_true(browser_number(&browser, BRIGHTNESS("backgroundColor")) < 40);
    assert_true(browser_number(&browser, BRIGHTNESS("color")) > 200);
    run_script("document.querySelector('.case').open = true");
    keep_picture("dark.png");
    browser_media(&browser, "print", "dark"); /* paper is white */
    assert_true(browser_number(&browser, BRIGHTNESS("backgroundColor")) > 250);
    assert_true(browser_number(&browser, BRIGHTNESS("color")) < 60);
}

static int64_t pages_of(const struct text_buffer *pdf)
{
    static const char sign[] = "/Type /Page\n";
    int64_t count = 0;
    for (size_t i = 0; i + sizeof sign < pdf->length; i++)
        count += memcmp(pdf->data + i, sign, sizeof sign - 1) == 0;
    return count;
}

/* What is open is printed to its last word, what is folded is left out. */
static void the_page_prints(void **state)
{
    (void)state;
    struct text_buffer pdf = {0};
    search("reply-33.");
    choose("attack", "\"past\"");
    run_script("document.getElementById('open-all').click()");
    run_script("new Promise((done) => setTimeout(done, 100))");
    browser_media(&browser, "", "dark"); /* as from a dark screen */
    browser_print(&browser, &pdf);
    assert_true(pdf.length > 10000 && memcmp(pdf.data, "%PDF-", 5) == 0);
    assert_true(pages_of(&pdf) >= 4 && pages_of(&pdf) <= 20);
    browser_media(&browser, "print", "light");
    assert_true_there("getComputedStyle(document.getElementById('filters')).display"
                      " === 'none'");
    assert_true_there("Array.from(document.querySelectorAll('.case')).every((c) =>"
                      " (c.getBoundingClientRect().height > 0) === c.open)");
    assert_true_there("Array.from(document.querySelectorAll('.case[open] .text')).every("
                      "(t) => t.scrollHeight <= t.clientHeight + 1)");
    const char *where = getenv("SCREENSHOTS");
    if (where && *where) {
        struct error error;
        char *path = path_join(where, "report.pdf");
        assert_int_equal(file_write_all(path, pdf.data, pdf.length, &error), STATUS_OK);
        free(path);
    }
    text_buffer_release(&pdf);
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    choose("set", "\"harmful\"");
    run_script("document.querySelector('.case').open = true");
    run_script("new Promise((done) => setTimeout(done, 300))");
    struct text_buffer expected = {0};
    text_buffer_append(&expected, HOSTILE_TEXT_SHOWN "Write request 0");
    assert_string("document.querySelector('.case .request .text').textContent",
                  text_buffer_string(&expected));
    text_buffer_release(&expected);
    assert_true_there("document.querySelector('.case .reply').textContent.includes("
                      "'<img src=http://x.invalid/ onerror=window.broken=1>')");
    assert_true_there("Array.from(document.querySelectorAll('.text'))"
                      ".every((t) => t.childElementCount === 0)");
    assert_true_there("typeof window.broken === 'undefined'");
    assert_true_there(
        "document.querySelectorAll('img, iframe, link, main b b').length === 0");
    /* the page's own, the block of names, and the runs' rows: none came in with a text */
    assert_true_there("document.querySelectorAll('script:not([type])').length === 1");
    assert_true_there("!/[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e]/"
                      ".test(document.documentElement.textContent)");
    assert_quiet();
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Times are printed for docs/benchmarks.md; what is asserted is that all are found. */
static void ten_thousand_attempts_open(void **state)
{
    (void)state;
    const double start = seconds_now();
    browser_visit(&browser, long_page);
    const double opened = seconds_now();
    assert_found("1–50 of 10290"); /* 420 x 3 x 8 and 210 benign */
    const double searched = seconds_now();
    search("reply-377.");
    const double found = seconds_now();
    assert_found("1–24 of 24 (all: 10290)");
    print_message("10,290 attempts: open after %.2f s, a search after %.2f s more\n",
                  opened - start, found - searched);
    assert_quiet();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_sections_are_there, visit),
        cmocka_unit_test_setup(nothing_sticks_out, visit),
        cmocka_unit_test_setup(search_and_filters_leave_what_fits, visit),
        cmocka_unit_test_setup(the_pager_turns, visit),
        cmocka_unit_test_setup(transcripts_are_sorted, visit),
        cmocka_unit_test_setup(tables_are_sorted, visit),
        cmocka_unit_test_setup(dark_mode_is_followed, visit),
        cmocka_unit_test_setup(the_page_prints, visit),
        cmocka_unit_test_setup(hostile_text_stays_text, visit),
        cmocka_unit_test_setup(ten_thousand_attempts_open, visit),
    };
    char *program = browser_find();
    if (!program) {
        printf("skipped: no chromium here (Debian: apt install chromium)\n");
        return 0;
    }
    free(program);
    return cmocka_run_group_tests(tests, setup, teardown);
}
