#include "fault_server.h"

#include <fcntl.h>

/*
 * fault_server RATE LOG [PORT]: prints its port and serves until stdin ends; LOG gets a
 * line for each request. FAULT_KEY, if set, is the key that it wants.
 */
int main(int argc, char **argv)
{
    static struct fault_server server;
    char byte;
    if (argc < 3 || argc > 4 ||
        !fault_server_start_at(&server, atof(argv[1]),
                               argc > 3 ? (uint16_t)atoi(argv[3]) : 0)) {
        fprintf(stderr, "usage: fault_server RATE LOG [PORT]\n");
        return 2;
    }
    server.key = getenv("FAULT_KEY");
    server.log_descriptor = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    printf("%d\n", (int)server.port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    printf("%d requests, %d at once\n", server.requests, server.under_way_most);
    fault_server_stop(&server);
    return 0;
}
