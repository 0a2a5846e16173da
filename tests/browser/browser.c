#include "browser.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000, BROWSER_READS = 3, BROWSER_WRITES = 4 };

char *browser_find(void)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    const char *chosen = getenv("CHROMIUM");
    if (chosen && *chosen)
        return memory_duplicate_string(chosen);
    for (const char *path = getenv("PATH"); path && *path;) {
        const size_t length = strcspn(path, ":");
        char *folder = memory_duplicate_bytes(path, length);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            char *program = path_join(folder, names[i]);
            if (access(program, X_OK) == 0) {
                free(folder);
                return program;
            }
            free(program);
        }
        free(folder);
        path += length + (path[length] == ':');
    }
    return NULL;
}

/* In the child. The browser wants its pipes at fixed numbers; ours may be those. */
static void become(const char *program, const char *profile, int reads, int writes)
{
    char option[512];
    snprintf(option, sizeof option, "--user-data-dir=%s", profile);
    const char *const arguments[] = {
        program,
        "--headless=new",
        "--remote-debugging-pipe",
        option,
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
        "--hide-scrollbars",
        geteuid() == 0 ? "--no-sandbox" : NULL, /* the sandbox refuses root */
        NULL,
    };
    const int high_reads = fcntl(reads, F_DUPFD, 10);
    const int high_writes = fcntl(writes, F_DUPFD, 10);
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, 0);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    dup2(high_reads, BROWSER_READS);
    dup2(high_writes, BROWSER_WRITES);
    setpgid(0, 0); /* its children end with it */
    execv(program, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

/* Appends what arrives, until `deadline` at most; false if nothing comes any more. */
static bool receive(struct browser *browser, int timeout_ms)
{
    static char chunk[1 << 16];
    struct pollfd ready = {.fd = browser->output, .events = POLLIN};
    if (poll(&ready, 1, timeout_ms) <= 0)
        return false;
    const ssize_t count = read(browser->output, chunk, sizeof chunk);
    if (count <= 0)
        return false;
    text_buffer_append_bytes(&browser->bytes, chunk, (size_t)count);
    return true;
}

/* The next message, to be freed. */
static cJSON *message_next(struct browser *browser)
{
    struct text_buffer *bytes = &browser->bytes;
    size_t searched = 0;
    char *end;
    while (!bytes->length ||
           !(end = memchr(bytes->data + searched, '\0', bytes->length - searched))) {
        searched = bytes->length;
        if (!receive(browser, PATIENCE_MS))
            fail_msg("the browser says nothing for %d s, or is gone", PATIENCE_MS / 1000);
    }
    const size_t length = (size_t)(end - bytes->data);
    cJSON *message = cJSON_ParseWithLength(bytes->data, length);
    if (!message)
        fail_msg("no JSON from the browser: %.200s", bytes->data);
    memmove(bytes->data, end + 1, bytes->length - length - 1);
    bytes->length -= length + 1;
    return message;
}

static const char *text_at(const cJSON *object, const char *first, const char *second)
{
    const cJSON *value = json_get(object, first);
    if (second)
        value = json_get(value, second);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static void complain(struct browser *browser, const char *method, const char *words)
{
    text_buffer_appendf(&browser->complaints, "%s: %s\n", method, words);
}

/* Without a listener a dialog would wait for ever. */
static void dialog_close(struct browser *browser, const char *words)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddFalseToObject(parameters, "accept");
    complain(browser, "dialog", words);
    cJSON_Delete(browser_call(browser, "Page.handleJavaScriptDialog", parameters));
}

static void event_take(struct browser *browser, const cJSON *message)
{
    const char *method = text_at(message, "method", NULL);
    const cJSON *what = json_get(message, "params");
    if (strcmp(method, "Page.loadEventFired") == 0)
        browser->loaded = true;
    else if (strcmp(method, "Network.requestWillBeSent") == 0)
        text_buffer_appendf(&browser->requests, "%s\n", text_at(what, "request", "url"));
    else if (strcmp(method, "Runtime.exceptionThrown") == 0)
        complain(browser, method, text_at(what, "exceptionDetails", "text"));
    else if (strcmp(method, "Log.entryAdded") == 0)
        complain(browser, method, text_at(what, "entry", "text"));
    else if (strcmp(method, "Runtime.consoleAPICalled") == 0)
        complain(browser, method, text_at(what, "type", NULL));
    else if (strcmp(method, "Page.javascriptDialogOpening") == 0)
        dialog_close(browser, text_at(what, "message", NULL));
}

static void message_send(struct browser *browser, const cJSON *message)
{
    char *text = cJSON_PrintUnformatted(message);
    size_t left = strlen(text) + 1;
    for (const char *at = text; left;) {
        const ssize_t count = write(browser->input, at, left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            fail_msg("the browser takes no messages: %s", strerror(errno));
        at += count;
        left -= (size_t)count;
    }
    cJSON_free(text);
}

cJSON *browser_call(struct browser *browser, const char *method, cJSON *parameters)
{
    cJSON *message = cJSON_CreateObject();
    const int64_t id = ++browser->last_id;
    cJSON_AddNumberToObject(message, "id", (double)id);
    cJSON_AddStringToObject(message, "method", method);
    cJSON_AddItemToObject(message, "params",
                          parameters ? parameters : cJSON_CreateObject());
    if (browser->session)
        cJSON_AddStringToObject(message, "sessionId", browser->session);
    message_send(browser, message);
    cJSON_Delete(message);
    for (;;) {
        message = message_next(browser);
        const cJSON *answers = json_get(message, "id");
        if (cJSON_IsNumber(answers) && (int64_t)answers->valuedouble == id)
            break;
        event_take(browser, message);
        cJSON_Delete(message);
    }
    if (json_get(message, "error"))
        fail_msg("%s: %s", method, text_at(message, "error", "message"));
    cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(message, "result");
    cJSON_Delete(message);
    return result;
}

static void call(struct browser *browser, const char *method)
{
    cJSON_Delete(browser_call(browser, method, NULL));
}

/* A page of its own, whose events come to this session. */
static void page_attach(struct browser *browser)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "url", "about:blank");
    cJSON *target = browser_call(browser, "Target.createTarget", parameters);
    parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "targetId", text_at(target, "targetId", NULL));
    cJSON_AddTrueToObject(parameters, "flatten");
    cJSON *attached = browser_call(browser, "Target.attachToTarget", parameters);
    browser->session = memory_duplicate_string(text_at(attached, "sessionId", NULL));
    cJSON_Delete(attached);
    cJSON_Delete(target);
    call(browser, "Page.enable");
    call(browser, "Runtime.enable");
    call(browser, "Log.enable");
    call(browser, "Network.enable");
}

enum status browser_open(struct browser *browser, const char *program, struct error *error)
{
    int to[2];
    int from[2];
    char profile[] = "/tmp/holdfast_browser.XXXXXX";
    *browser = (struct browser){0};
    if (!mkdtemp(profile) || pipe(to))
        return error_set(error, STATUS_IO, "%s: %s", profile, strerror(errno));
    if (pipe(from)) {
        close(to[0]);
        close(to[1]);
        return error_set(error, STATUS_IO, "no pipe: %s", strerror(errno));
    }
    browser->process = fork();
    if (browser->process == 0)
        become(program, profile, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    browser->input = to[1];
    browser->output = from[0];
    browser->profile = memory_duplicate_string(profile);
    signal(SIGPIPE, SIG_IGN);
    if (browser->process < 0) {
        browser_close(browser);
        return error_set(error, STATUS_IO, "no process: %s", strerror(errno));
    }
    page_attach(browser);
    return STATUS_OK;
}

/* Closing its pipe ends the browser; its helpers are in its group. */
void browser_close(struct browser *browser)
{
    if (browser->input)
        close(browser->input);
    for (int i = 0; browser->process > 0 && i < 100; i++) {
        if (waitpid(browser->process, NULL, WNOHANG) == browser->process)
            break;
        if (i == 50)
            kill(-browser->process, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    if (browser->output)
        close(browser->output);
    if (browser->profile)
        file_remove_tree(browser->profile, NULL);
    free(browser->profile);
    free(browser->session);
    text_buffer_release(&browser->bytes);
    text_buffer_release(&browser->complaints);
    text_buffer_release(&browser->requests);
    *browser = (struct browser){0};
}

void browser_visit(struct browser *browser, const char *path)
{
    struct text_buffer url = {0};
    text_buffer_appendf(&url, "file://%s", path);
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "url", text_buffer_string(&url));
    text_buffer_release(&browser->complaints);
    text_buffer_release(&browser->requests);
    browser->loaded = false;
    cJSON_Delete(browser_call(browser, "Page.navigate", parameters));
    while (!browser->loaded) {
        cJSON *message = message_next(browser);
        event_take(browser, message);
        cJSON_Delete(message);
    }
    text_buffer_append_char(&url, '\n');
    const char *requests = text_buffer_string(&browser->requests);
    if (!text_starts_with(requests, text_buffer_string(&url)))
        fail_msg("the page was not asked for first: %s", requests);
    char *others = memory_duplicate_string(requests + url.length);
    text_buffer_release(&browser->requests);
    text_buffer_append(&browser->requests, others);
    free(others);
    text_buffer_release(&url);
}

cJSON *browser_evaluate(struct browser *browser, const char *expression)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "expression", expression);
    cJSON_AddTrueToObject(parameters, "returnByValue");
    cJSON_AddTrueToObject(parameters, "awaitPromise");
    cJSON *result = browser_call(browser, "Runtime.evaluate", parameters);
    const cJSON *thrown = json_get(result, "exceptionDetails");
    if (thrown)
        fail_msg("%s: %s", expression, text_at(thrown, "exception", "description"));
    cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(
        cJSON_GetObjectItem(result, "result"), "value");
    cJSON_Delete(result);
    return value ? value : cJSON_CreateNull();
}

double browser_number(struct browser *browser, const char *expression)
{
    cJSON *value = browser_evaluate(browser, expression);
    if (!cJSON_IsNumber(value))
        fail_msg("%s: no number", expression);
    const double number = value->valuedouble;
    cJSON_Delete(value);
    return number;
}

bool browser_truth(struct browser *browser, const char *expression)
{
    cJSON *value = browser_evaluate(browser, expression);
    if (!cJSON_IsBool(value))
        fail_msg("%s: neither true nor false", expression);
    const bool truth = cJSON_IsTrue(value);
    cJSON_Delete(value);
    return truth;
}

char *browser_string(struct browser *browser, const char *expression)
{
    cJSON *value = browser_evaluate(browser, expression);
    if (!cJSON_IsString(value))
        fail_msg("%s: no string", expression);
    char *text = memory_duplicate_string(value->valuestring);
    cJSON_Delete(value);
    return text;
}

void browser_viewport(struct browser *browser, int width, int height)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddNumberToObject(parameters, "width", width);
    cJSON_AddNumberToObject(parameters, "height", height);
    cJSON_AddNumberToObject(parameters, "deviceScaleFactor", 1);
    cJSON_AddFalseToObject(parameters, "mobile");
    cJSON_Delete(browser_call(browser, "Emulation.setDeviceMetricsOverride", parameters));
}

void browser_media(struct browser *browser, const char *media, const char *scheme)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON *feature = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "media", media);
    cJSON_AddStringToObject(feature, "name", "prefers-color-scheme");
    cJSON_AddStringToObject(feature, "value", scheme);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(parameters, "features"), feature);
    cJSON_Delete(browser_call(browser, "Emulation.setEmulatedMedia", parameters));
}

static int base64_value(char digit)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void base64_decode(struct text_buffer *out, const char *text)
{
    unsigned bits = 0;
    int count = 0;
    for (; base64_value(*text) >= 0; text++) {
        bits = bits << 6 | (unsigned)base64_value(*text);
        count += 6;
        if (count >= 8) {
            count -= 8;
            text_buffer_append_char(out, (char)(bits >> count & 255));
        }
    }
}

static void data_take(struct browser *browser, const char *method, cJSON *parameters,
                      struct text_buffer *out)
{
    cJSON *result = browser_call(browser, method, parameters);
    base64_decode(out, text_at(result, "data", NULL));
    cJSON_Delete(result);
}

void browser_print(struct browser *browser, struct text_buffer *pdf)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddTrueToObject(parameters, "preferCSSPageSize");
    data_take(browser, "Page.printToPDF", parameters, pdf);
}

void browser_picture(struct browser *browser, const char *path)
{
    struct error error;
    struct text_buffer picture = {0};
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddTrueToObject(parameters, "captureBeyondViewport");
    data_take(browser, "Page.captureScreenshot", parameters, &picture);
    if (file_write_all(path, picture.data, picture.length, &error))
        fail_msg("%s", error.message);
    text_buffer_release(&picture);
}
