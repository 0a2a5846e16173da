#ifndef HOLDFAST_BASE_ERROR_H
#define HOLDFAST_BASE_ERROR_H

/*
 * Errors come in three kinds that never mix (docs: house style):
 *
 *   1. The world's fault (file, network, user input): a function returns an
 *      `enum status` and fills a `struct error` that says what is wrong, where
 *      (file, line or byte) and what to do about it.
 *   2. The programmer's fault: CHECK(), always compiled in, aborts.
 *   3. The device's fault: sticky in the back-end, reported by backend_sync().
 *
 * Library code never prints and never exits; only commands do.
 */

/* One list makes the codes and their names: X(name, "plain words"). */
#define STATUS_LIST(X)                                                                     \
    X(OK, "success")                                                                       \
    X(USAGE, "wrong usage")                                                                \
    X(IO, "input or output failed")                                                        \
    X(FORMAT, "malformed data")                                                            \
    X(LIMIT, "a limit was exceeded")                                                       \
    X(MEMORY, "out of memory")                                                             \
    X(UNSUPPORTED, "not supported")                                                        \
    X(DEVICE, "device failure")                                                            \
    X(UNMEASURED, "too much could not be measured")                                        \
    X(GATE, "a gate did not hold")

enum status {
#define STATUS_ENUM(name, words) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

enum { ERROR_MESSAGE_BYTES = 1024 };

struct error {
    enum status status;
    char message[ERROR_MESSAGE_BYTES];
};

/*
 * Sets status and message; returns `status`, so that a caller may write
 * `return error_set(error, STATUS_FORMAT, "%s: line %d: …", …)`. A message that is
 * too long is cut. `error` may be NULL: then only the status is returned.
 */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set(), and appends ": " and the text of `errno_value` (strerror), and what to do
 * where that is not plain from it (a full disk, a limit of the shell). */
enum status error_set_errno(struct error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that is there. Returns error->status. */
enum status error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The plain words of a status, static. */
const char *status_words(enum status status);

/* Exit code of a command: 0 good, 1 failed, 2 usage, 3 not measured, 100 gate. */
int status_exit_code(enum status status);

/* Aborts with file, line and expression: for what only a bug can cause. */
#define CHECK(expression)                                                                  \
    ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))
void check_failed(const char *expression, const char *file, int line)
    __attribute__((noreturn));

#endif
