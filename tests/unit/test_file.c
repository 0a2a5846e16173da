#include "base/file.h"

#include "base/memory.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/holdfast-test-file-XXXXXX";
static struct error error;

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return file_remove_tree(folder, &error) == STATUS_OK ? 0 : -1;
}

/* A path in the folder, in one of a few static places. */
static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_write_all(path, text, strlen(text), &error), STATUS_OK);
}

static void assert_content(const char *path, const char *expected)
{
    struct text_buffer buffer = {0};
    assert_int_equal(file_read(&buffer, path, 0, &error), STATUS_OK);
    assert_int_equal(buffer.length, strlen(expected));
    assert_string_equal(text_buffer_string(&buffer), expected);
    text_buffer_release(&buffer);
}

static size_t entries_of(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2; /* "." and ".." */
}

static void assert_fails(enum status status, enum status expected, const char *words)
{
    assert_int_equal(status, expected);
    if (!strstr(error.message, words))
        fail_msg("'%s' lacks '%s'", error.message, words);
}

static void writes_and_reads_back(void **state)
{
    (void)state;
    const char *path = in_folder("a.txt");
    write_file(path, "first\n");
    assert_content(path, "first\n");
    write_file(path, "second");
    assert_content(path, "second");
    write_file(path, "");
    assert_content(path, "");
    assert_int_equal(entries_of(folder), 1); /* no temporary is left */
    assert_int_equal(unlink(path), 0);
}

static void reads_large_files_and_keeps_limits(void **state)
{
    (void)state;
    enum { BYTES = 300001 };
    const char *path = in_folder("large");
    char *bytes = memory_allocate(BYTES);
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7);
    assert_int_equal(file_write_all(path, bytes, BYTES, &error), STATUS_OK);
    struct text_buffer buffer = {0};
    assert_int_equal(file_read(&buffer, path, BYTES, &error), STATUS_OK);
    assert_int_equal(buffer.length, BYTES);
    assert_memory_equal(buffer.data, bytes, BYTES);
    assert_fails(file_read(&buffer, path, BYTES - 1, &error), STATUS_LIMIT,
                 "larger than 300000 bytes");
    assert_int_equal(buffer.length, 0);
    assert_fails(file_read(&buffer, "/dev/zero", 5000, &error), STATUS_LIMIT,
                 "larger than 5000 bytes");
    text_buffer_release(&buffer);
    free(bytes);
    unlink(path);
}

static void missing_files_and_folders_are_named(void **state)
{
    (void)state;
    struct text_buffer buffer = {0};
    struct file_map map;
    struct file_writer writer;
    assert_fails(file_read(&buffer, in_folder("no"), 0, &error), STATUS_IO,
                 "/no: cannot open: No such file or directory");
    assert_fails(file_map(&map, in_folder("no"), &error), STATUS_IO,
                 "/no: cannot open: No such file or directory");
    file_unmap(&map);
    assert_fails(file_map(&map, folder, &error), STATUS_IO,
                 "is a folder; name a file in it");
    assert_fails(file_read(&buffer, folder, 0, &error), STATUS_IO, "is a folder");
    assert_fails(file_create(&writer, folder, &error), STATUS_IO, "is a folder");
    assert_null(writer.stream);
    assert_fails(file_create(&writer, in_folder("no/file"), &error), STATUS_IO,
                 "/no/file: cannot create: No such file or directory");
    file_abandon(&writer);
    text_buffer_release(&buffer);
}

static void maps_files_empty_files_and_pipes(void **state)
{
    (void)state;
    struct file_map map;
    const char *path = in_folder("map");
    write_file(path, "mapped");
    assert_int_equal(file_map(&map, path, &error), STATUS_OK);
    assert_int_equal(map.bytes, 6);
    assert_memory_equal(map.data, "mapped", 6);
    file_unmap(&map);
    assert_int_equal(map.bytes, 0);
    write_file(path, "");
    assert_int_equal(file_map(&map, path, &error), STATUS_OK);
    assert_int_equal(map.bytes, 0);
    assert_int_equal(map.data[0], '\0');
    file_unmap(&map);
    unlink(path);

    int ends[2];
    char name[64];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    assert_int_equal(file_map(&map, name, &error), STATUS_OK);
    assert_int_equal(map.bytes, 5);
    assert_memory_equal(map.data, "piped", 5);
    file_unmap(&map);
    close(ends[0]);
}

/* Pages of files in this process's memory. */
static long file_pages(void)
{
    long all = 0, shared = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%*d %ld %ld", &all, &shared), 2);
    fclose(statm);
    return shared;
}

/* In the odd order, and with the odd bounds, in which tensors stand in files: none of the
 * pages that a fault brings around its own stays behind. */
static void forgotten_pages_leave_memory(void **state)
{
    enum { BYTES = 48 << 20, PART = 1000003, PIECE = 1 << 19, PAGES_LEFT = 64 };
    (void)state;
    struct file_map map;
    const char *path = in_folder("large");
    write_file(path, "");
    assert_int_equal(truncate(path, BYTES), 0);
    assert_int_equal(file_map(&map, path, &error), STATUS_OK);
    const long before = file_pages();
    unsigned sum = 0;
    for (size_t odd = 0; odd < 2; odd++)
        for (size_t part = 11 + odd * PART; part < BYTES; part += 2 * (size_t)PART) {
            const size_t end = part + PART < BYTES ? part + PART : BYTES;
            for (size_t at = part; at < end; at += PIECE) {
                const size_t count = end - at < PIECE ? end - at : PIECE;
                for (size_t i = 0; i < count; i++)
                    sum += map.data[at + i];
                file_map_forget(&map, map.data + at, count);
            }
        }
    assert_int_equal(sum, 0);
    assert_true(file_pages() - before < PAGES_LEFT);
    file_unmap(&map);
    file_map_forget(&map, NULL, 1); /* nothing: no map */
    unlink(path);
}

static void an_abandoned_file_never_was(void **state)
{
    (void)state;
    const char *path = in_folder("kept");
    struct file_writer writer = {0};
    file_abandon(&writer);
    write_file(path, "old");
    assert_int_equal(file_create(&writer, path, &error), STATUS_OK);
    fputs("new", writer.stream);
    assert_int_equal(entries_of(folder), 2);
    file_abandon(&writer);
    file_abandon(&writer);
    assert_content(path, "old");
    assert_int_equal(entries_of(folder), 1);
    unlink(path);
}

static void modes_and_links_are_kept(void **state)
{
    (void)state;
    struct stat status;
    const char *path = in_folder("target");
    const char *link = in_folder("link");
    const mode_t mask = umask(0);
    umask(mask);
    write_file(path, "1");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0666 & ~mask);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(symlink("target", link), 0);
    write_file(link, "2");
    assert_content(path, "2");
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    unlink(path);
    unlink(link);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    struct stat status;
    assert_fails(file_write_all("/dev/full", "x", 1, &error), STATUS_IO,
                 "/dev/full: cannot write: No space left on device");
    struct file_writer writer;
    assert_int_equal(file_create(&writer, "/dev/full", &error), STATUS_OK);
    for (int i = 0; i < 100000; i++) /* fails in the middle, long before the commit */
        fputs("line\n", writer.stream);
    assert_fails(file_commit(&writer, &error), STATUS_IO, "No space left on device");
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode)); /* still the device */
}

/* The disk of the child is "full" at 4096 bytes a file. */
static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    int child_status;
    const char *path = in_folder("precious");
    write_file(path, "old");
    const pid_t child = fork();
    if (child == 0) {
        static const char bytes[100000];
        const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        const enum status result = file_write_all(path, bytes, sizeof bytes, &error);
        _exit(result == STATUS_IO && strstr(error.message, "File too large") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFEXITED(child_status));
    assert_int_equal(WEXITSTATUS(child_status), 0);
    assert_content(path, "old");
    assert_int_equal(entries_of(folder), 1);
    unlink(path);
}

static void logs_append_whole_lines(void **state)
{
    (void)state;
    const char *path = in_folder("log.jsonl");
    struct file_log log, second;
    bool torn = true;
    assert_int_equal(file_log_open(&log, path, &torn, &error), STATUS_OK);
    assert_false(torn);
    assert_int_equal(file_log_append(&log, "{\"a\":1}", 7, &error), STATUS_OK);
    assert_int_equal(file_log_append(&log, "", 0, &error), STATUS_OK);
    assert_content(path, "{\"a\":1}\n\n");
    assert_fails(file_log_open(&second, path, NULL, &error), STATUS_IO,
                 "another process is writing");
    assert_int_equal(second.descriptor, -1);
    file_log_close(&second);
    file_log_close(&log);
    assert_int_equal(log.descriptor, -1);
    assert_int_equal(file_log_open(&log, path, &torn, &error), STATUS_OK);
    assert_false(torn);
    assert_int_equal(file_log_append(&log, "b", 1, &error), STATUS_OK);
    file_log_close(&log);
    assert_content(path, "{\"a\":1}\n\nb\n");
    unlink(path);
}

static void closing_a_zeroed_log_does_not_close_stdin(void **state)
{
    (void)state;
    struct stat status;
    const int before = fstat(STDIN_FILENO, &status);
    struct file_log log = {0};
    file_log_close(&log);
    assert_int_equal(log.descriptor, -1);
    assert_int_equal(fstat(STDIN_FILENO, &status), before);
}

static void torn_lines_are_cut_off(void **state)
{
    (void)state;
    const char *path = in_folder("torn.jsonl");
    struct file_log log;
    bool torn = false;
    struct text_buffer text = {0};
    text_buffer_append(&text, "whole\n");
    for (int i = 0; i < 200000; i++) /* longer than one block of the search */
        text_buffer_append_char(&text, 'x');
    write_file(path, text.data);
    assert_int_equal(file_log_open(&log, path, &torn, &error), STATUS_OK);
    assert_true(torn);
    assert_int_equal(file_log_append(&log, "next", 4, &error), STATUS_OK);
    file_log_close(&log);
    assert_content(path, "whole\nnext\n");
    write_file(path, "only a piece");
    assert_int_equal(file_log_open(&log, path, &torn, &error), STATUS_OK);
    assert_true(torn);
    file_log_close(&log);
    assert_content(path, "");
    text_buffer_release(&text);
    unlink(path);
}

static void logs_report_a_full_disk_and_take_the_line_back(void **state)
{
    (void)state;
    struct file_log log;
    assert_int_equal(file_log_open(&log, "/dev/full", NULL, &error), STATUS_OK);
    assert_fails(file_log_append(&log, "x", 1, &error), STATUS_IO,
                 "/dev/full: cannot append: No space left on device");
    file_log_close(&log);

    int child_status;
    const char *path = in_folder("limited");
    const pid_t child = fork();
    if (child == 0) {
        static char line[3000];
        const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        memset(line, 'x', sizeof line);
        if (file_log_open(&log, path, NULL, &error) ||
            file_log_append(&log, line, sizeof line, &error))
            _exit(2);
        _exit(file_log_append(&log, line, sizeof line, &error) == STATUS_IO ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_int_equal(WEXITSTATUS(child_status), 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 3001);
    unlink(path);
}

static void folders_are_made_renamed_and_removed(void **state)
{
    (void)state;
    const char *deep = in_folder("x/y//z/");
    assert_int_equal(file_make_directories(deep, &error), STATUS_OK);
    assert_int_equal(file_make_directories(deep, &error), STATUS_OK);
    assert_true(file_is_directory(in_folder("x/y/z")));
    write_file(in_folder("x/y/z/file"), "1");
    write_file(in_folder("outside"), "kept");
    assert_int_equal(symlink("../outside", in_folder("x/link")), 0);
    assert_fails(file_make_directories(in_folder("outside/sub"), &error), STATUS_IO,
                 "outside: cannot make the folder");
    assert_fails(file_make_directories("", &error), STATUS_USAGE, "empty");

    assert_int_equal(file_rename_directory(in_folder("x"), in_folder("w"), &error),
                     STATUS_OK);
    assert_false(file_exists(in_folder("x")));
    assert_content(in_folder("w/y/z/file"), "1");
    assert_fails(file_rename_directory(in_folder("x"), in_folder("v"), &error), STATUS_IO,
                 "cannot rename");

    assert_int_equal(file_remove_tree(in_folder("w"), &error), STATUS_OK);
    assert_false(file_exists(in_folder("w")));
    assert_content(in_folder("outside"), "kept"); /* links are not followed */
    assert_int_equal(file_remove_tree(in_folder("w"), &error), STATUS_OK);
    assert_int_equal(file_remove_tree(in_folder("outside"), &error), STATUS_OK);
    assert_fails(file_sync_directory(in_folder("w"), &error), STATUS_IO, "cannot open");
}

/* Folders above that somebody else has filled meanwhile stay, as do those that were there.
 */
static void made_folders_are_taken_back(void **state)
{
    (void)state;
    assert_int_equal(file_make_directories(in_folder("there"), &error), STATUS_OK);
    assert_null(file_first_missing(in_folder("there")));
    for (int filled = 0; filled < 2; filled++) {
        const char *deep = in_folder("there/a/b/c/");
        char *missing = file_first_missing(deep);
        assert_string_equal(missing, in_folder("there/a"));
        assert_int_equal(file_make_directories(deep, &error), STATUS_OK);
        write_file(in_folder("there/a/b/c/file"), "1");
        if (filled)
            write_file(in_folder("there/a/other"), "1");
        file_remove_made(deep, missing);
        assert_false(file_exists(in_folder("there/a/b")));
        assert_int_equal(file_exists(in_folder("there/a/other")), filled);
        assert_int_equal(file_exists(in_folder("there/a")), filled);
        assert_true(file_is_directory(in_folder("there")));
        free(missing);
    }
    assert_int_equal(file_remove_tree(in_folder("there"), &error), STATUS_OK);
}

static void assert_path(char *path, const char *expected)
{
    assert_string_equal(path, expected);
    free(path);
}

static void paths_are_joined_and_taken_apart(void **state)
{
    (void)state;
    assert_path(path_join("a", "b"), "a/b");
    assert_path(path_join("a/", "b"), "a/b");
    assert_path(path_join("", "b"), "b");
    assert_path(path_join("a", "/b"), "/b");
    assert_path(path_directory("a/b"), "a");
    assert_path(path_directory("a//b/"), "a");
    assert_path(path_directory("b"), ".");
    assert_path(path_directory("/b"), "/");
    assert_path(path_directory("/"), "/");
    assert_path(path_directory("//b"), "/");
    assert_string_equal(path_base_name("a/b"), "b");
    assert_string_equal(path_base_name("a/b/"), "b/");
    assert_string_equal(path_base_name("b"), "b");
}

/* FIPS 180-4 examples. */
static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    bytes_sha256(hex, "", 0);
    assert_string_equal(hex,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    write_file(in_folder("abc"), "abc");
    assert_int_equal(file_sha256(hex, in_folder("abc"), &error), STATUS_OK);
    assert_string_equal(hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_fails(file_sha256(hex, in_folder("no"), &error), STATUS_IO, "cannot open");
    unlink(in_folder("abc"));
}

static void lines_end_in_lf_crlf_or_the_end(void **state)
{
    (void)state;
    static const char text[] = "one\r\n\ntwo\rx\nlast\r";
    struct line_reader lines = {.data = text, .bytes = sizeof text - 1};
    static const char *const expected[] = {"one", "", "two\rx", "last\r"};
    for (int i = 0; i < 4; i++) {
        assert_true(line_next(&lines));
        assert_int_equal(lines.number, i + 1);
        assert_int_equal(lines.line_bytes, strlen(expected[i]));
        assert_memory_equal(lines.line, expected[i], lines.line_bytes);
    }
    assert_false(line_next(&lines));
    assert_false(line_next(&lines));
    assert_int_equal(lines.number, 4);
    assert_false(line_next(&(struct line_reader){.data = "", .bytes = 0}));
}

static void lfs_pointers_are_recognised(void **state)
{
    (void)state;
    static const char pointer[] =
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    assert_true(bytes_are_lfs_pointer(pointer, sizeof pointer - 1));
    assert_false(bytes_are_lfs_pointer(pointer, 10));
    assert_false(bytes_are_lfs_pointer("{}", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_back),
        cmocka_unit_test(reads_large_files_and_keeps_limits),
        cmocka_unit_test(missing_files_and_folders_are_named),
        cmocka_unit_test(maps_files_empty_files_and_pipes),
        cmocka_unit_test(forgotten_pages_leave_memory),
        cmocka_unit_test(an_abandoned_file_never_was),
        cmocka_unit_test(modes_and_links_are_kept),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(logs_append_whole_lines),
        cmocka_unit_test(closing_a_zeroed_log_does_not_close_stdin),
        cmocka_unit_test(torn_lines_are_cut_off),
        cmocka_unit_test(logs_report_a_full_disk_and_take_the_line_back),
        cmocka_unit_test(folders_are_made_renamed_and_removed),
        cmocka_unit_test(made_folders_are_taken_back),
        cmocka_unit_test(paths_are_joined_and_taken_apart),
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(lines_end_in_lf_crlf_or_the_end),
        cmocka_unit_test(lfs_pointers_are_recognised),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
