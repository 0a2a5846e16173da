#include "base/file.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * file_server FOLDER: prints its port and serves the files of FOLDER on 127.0.0.1 until
 * stdin ends. "/NAME" is served whole or from a byte on (Range: bytes=N-);
 * "/cut/N/NAME" breaks the connection after byte N unless a range begins at N or later;
 * "/whole/NAME" knows no ranges. Each request is a line "PATH RANGE" on stderr.
 */
struct served {
    struct file_map map;
    size_t first;  /* byte of the file that is sent first */
    size_t cut_at; /* the connection breaks there; 0: it does not */
};

static ssize_t served_read(void *context, uint64_t position, char *out, size_t limit)
{
    const struct served *served = context;
    const size_t at = served->first + (size_t)position;
    const size_t end = served->cut_at ? served->cut_at : served->map.bytes;
    if (at >= end)
        return served->cut_at ? MHD_CONTENT_READER_END_WITH_ERROR
                              : MHD_CONTENT_READER_END_OF_STREAM;
    const size_t count = end - at < limit ? end - at : limit;
    memcpy(out, served->map.data + at, count);
    return (ssize_t)count;
}

static void served_free(void *context)
{
    struct served *served = context;
    file_unmap(&served->map);
    free(served);
}

static enum MHD_Result reply_empty(struct MHD_Connection *connection, unsigned code)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    const enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_file(struct MHD_Connection *connection, struct served *served)
{
    char range[100];
    struct MHD_Response *response = MHD_create_response_from_callback(
        served->map.bytes - served->first, 4096, served_read, served, served_free);
    snprintf(range, sizeof range, "bytes %zu-%zu/%zu", served->first, served->map.bytes - 1,
             served->map.bytes);
    if (served->first)
        MHD_add_response_header(response, "Content-Range", range);
    const enum MHD_Result result =
        MHD_queue_response(connection, served->first ? 206 : 200, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection,
                              const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_bytes, void **state)
{
    (void)method, (void)version, (void)upload, (void)upload_bytes, (void)state;
    struct error error;
    unsigned long cut_at = 0;
    unsigned long first = 0;
    const char *range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range");
    const bool ranges = strncmp(url, "/whole/", 7) != 0;
    fprintf(stderr, "%s %s\n", url, range ? range : "-");
    if (range && ranges)
        sscanf(range, "bytes=%lu-", &first);
    if (sscanf(url, "/cut/%lu/", &cut_at) == 1 && first >= cut_at)
        cut_at = 0;
    struct served *served = memory_allocate(sizeof *served);
    char *path = path_join(context, path_base_name(url));
    const enum status status = file_map(&served->map, path, &error);
    free(path);
    served->first = (size_t)first;
    served->cut_at = (size_t)cut_at;
    if (!status && served->first < served->map.bytes)
        return reply_file(connection, served);
    served_free(served);
    return reply_empty(connection, status ? 404 : 416);
}

int main(int argc, char **argv)
{
    char byte;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (argc != 2) {
        fprintf(stderr, "usage: file_server FOLDER\n");
        return 2;
    }
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, argv[1],
                         MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_END);
    if (!daemon)
        return 1;
    printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    MHD_stop_daemon(daemon);
    return 0;
}
