#include "base/launch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ports that are made from a job's number: below those that systems hand out themselves. */
enum { PORT_FIRST = 20000, PORT_COUNT = 10000, PORT_MAXIMUM = 65535 };

/* The variables of one launcher; NULL: it has none. */
struct launcher {
    const char *present; /* set by this launcher and no other */
    const char *rank;
    const char *size;
    const char *local_rank;
    const char *local_size;
    const char *nodes; /* a list of machines, as Slurm writes it */
    const char *jobs[2];
};

static const struct launcher launchers[] = {
    {.present = "WORLD_SIZE",
     .rank = "RANK",
     .size = "WORLD_SIZE",
     .local_rank = "LOCAL_RANK",
     .local_size = "LOCAL_WORLD_SIZE",
     .jobs = {"TORCHELASTIC_RUN_ID"}},
    {.present = "OMPI_COMM_WORLD_SIZE",
     .rank = "OMPI_COMM_WORLD_RANK",
     .size = "OMPI_COMM_WORLD_SIZE",
     .local_rank = "OMPI_COMM_WORLD_LOCAL_RANK",
     .local_size = "OMPI_COMM_WORLD_LOCAL_SIZE",
     .jobs = {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}},
    {.present = "MPI_LOCALNRANKS", /* srun may set PMI_SIZE too */
     .rank = "PMI_RANK",
     .size = "PMI_SIZE",
     .local_rank = "MPI_LOCALRANKID",
     .local_size = "MPI_LOCALNRANKS"},
    {.present = "SLURM_STEP_NUM_TASKS",
     .rank = "SLURM_PROCID",
     .size = "SLURM_STEP_NUM_TASKS", /* set by srun, and not in a batch script itself */
     .local_rank = "SLURM_LOCALID",
     .nodes = "SLURM_STEP_NODELIST",
     .jobs = {"SLURM_JOB_ID", "SLURM_STEP_ID"}},
};

static const char *variable(const char *name)
{
    const char *value = name ? getenv(name) : NULL;
    return value && *value ? value : NULL;
}

/* `absent` where the variable is not set. */
static enum status number_read(int *number, const char *name, int least, int most,
                               int absent, struct error *error)
{
    const char *text = variable(name);
    *number = absent;
    if (!text)
        return STATUS_OK;
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        return error_set(error, STATUS_USAGE,
                         "environment variable %s=%s: it must be a number from %d to %d",
                         name, text, least, most);
    *number = (int)value;
    return STATUS_OK;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211U; /* FNV-1a */
    return hash;
}

/* Launchers that give a job no name have one parent for all its processes of a machine. */
static uint64_t job_of(const struct launcher *launcher)
{
    uint64_t hash = 14695981039346656037U;
    bool named = false;
    for (int i = 0; i < 2; i++) {
        const char *text = variable(launcher->jobs[i]);
        if (!text)
            continue;
        hash = hash_text(hash, text);
        named = true;
    }
    const char *port = variable("MASTER_PORT");
    if (port && !named) /* by hand: all that ranks on other machines know too */
        hash = hash_text(hash, port);
    if (!port && !named && !variable("MASTER_ADDR")) {
        char parent[32];
        snprintf(parent, sizeof parent, "parent %ld", (long)getppid());
        hash = hash_text(hash, parent);
    }
    return hash;
}

static enum status text_put(char *to, const char *first, size_t count, struct error *error)
{
    if (count >= LAUNCH_ADDRESS_BYTES)
        return error_set(error, STATUS_USAGE, "the address of rank 0 is too long: %.60s…",
                         first);
    memcpy(to, first, count);
    to[count] = '\0';
    return STATUS_OK;
}

/* The first machine of "gpu[07-09,12],login", "a1,a2" or "n[1-2]-ib": gpu07, a1, n1-ib. */
static enum status first_node(char *address, const char *nodes, struct error *error)
{
    const size_t stem = strcspn(nodes, "[,");
    if (nodes[stem] != '[')
        return text_put(address, nodes, stem, error);
    const char *number = nodes + stem + 1;
    const char *close = strchr(number, ']');
    if (!close)
        return error_set(error, STATUS_USAGE, "SLURM_STEP_NODELIST=%s: no ']'", nodes);
    char text[LAUNCH_ADDRESS_BYTES];
    const int bytes = snprintf(text, sizeof text, "%.*s%.*s%.*s", (int)stem, nodes,
                               (int)strcspn(number, "-,]"), number,
                               (int)strcspn(close + 1, ","), close + 1);
    return text_put(address, text, (size_t)bytes, error);
}

static enum status address_read(struct launch *launch, const struct launcher *launcher,
                                struct error *error)
{
    int local_size;
    const char *told = variable("MASTER_ADDR");
    const char *nodes = variable(launcher->nodes);
    if (told)
        return text_put(launch->address, told, strlen(told), error);
    if (nodes)
        return first_node(launch->address, nodes, error);
    if (number_read(&local_size, launcher->local_size, 1, LAUNCH_SIZE_MAXIMUM, 0, error))
        return error->status;
    if (local_size == launch->size)
        return text_put(launch->address, "127.0.0.1", strlen("127.0.0.1"), error);
    return error_set(error, STATUS_USAGE,
                     "%s says %d processes, and nothing says where the first of them is: "
                     "set MASTER_ADDR to its machine in all of them (mpirun -x "
                     "MASTER_ADDR=HOST …)",
                     launcher->size, launch->size);
}

/* torchrun's own process listens on MASTER_PORT: rank 0 needs another one, made from it. */
static bool port_is_taken(void)
{
    const char *text = variable("TORCHELASTIC_USE_AGENT_STORE");
    return text && strcmp(text, "True") == 0;
}

static enum status port_read(struct launch *launch, struct error *error)
{
    const int made = PORT_FIRST + (int)(launch->job % PORT_COUNT);
    if (number_read(&launch->port, "MASTER_PORT", 1, PORT_MAXIMUM, made, error))
        return error->status;
    if (port_is_taken()) {
        const uint64_t job = hash_text(launch->job, variable("MASTER_PORT"));
        launch->port = PORT_FIRST + (int)(job % PORT_COUNT);
    }
    return STATUS_OK;
}

static enum status rank_read(struct launch *launch, const struct launcher *launcher,
                             struct error *error)
{
    if (!variable(launcher->rank))
        return error_set(error, STATUS_USAGE,
                         "environment variable %s=%d is set, and %s is not: set both, or "
                         "neither",
                         launcher->size, launch->size, launcher->rank);
    if (number_read(&launch->rank, launcher->rank, 0, launch->size - 1, 0, error))
        return error->status;
    return number_read(&launch->local_rank, launcher->local_rank, 0, launch->size - 1, -1,
                       error);
}

static enum status launcher_read(struct launch *launch, const struct launcher *launcher,
                                 struct error *error)
{
    if (number_read(&launch->size, launcher->size, 1, LAUNCH_SIZE_MAXIMUM, 1, error))
        return error->status;
    if (launch->size == 1)
        return STATUS_OK;
    struct error rank_error = {0};
    const enum status status = rank_read(launch, launcher, &rank_error);
    if (status)
        launch->rank = -1; /* where rank 0 is may be known all the same */
    launch->job = job_of(launcher);
    if (address_read(launch, launcher, error) || port_read(launch, error)) {
        launch->port = 0;
        if (!status)
            return error->status;
    }
    return status ? error_set(error, status, "%s", rank_error.message) : STATUS_OK;
}

/*
 * Whether what was set by hand (`launch`) can be what `other` has started. One process of
 * `other` may start several of its own, as torchrun does: then there are more of them.
 */
static enum status contradiction_find(const struct launch *launch,
                                      const struct launcher *other, struct error *error)
{
    int rank, size;
    if (!variable(other->present) || variable("TORCHELASTIC_RUN_ID"))
        return STATUS_OK;
    if (number_read(&size, other->size, 1, LAUNCH_SIZE_MAXIMUM, 1, error) ||
        number_read(&rank, other->rank, 0, size - 1, launch->rank, error))
        return error->status;
    if (size == 1 || launch->size > size || (launch->size == size && launch->rank == rank))
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "environment variables RANK=%d WORLD_SIZE=%d contradict %s=%d %s=%d, "
                     "which the launcher has set: unset the first two (or %s, where each "
                     "process is to train on its own)",
                     launch->rank, launch->size, other->rank, rank, other->size, size,
                     other->present);
}

enum status launch_read(struct launch *launch, struct error *error)
{
    enum { COUNT = sizeof launchers / sizeof *launchers };
    enum status status = STATUS_OK;
    int found = 0;
    *launch = (struct launch){.size = 1, .local_rank = -1};
    while (found < COUNT && !variable(launchers[found].present))
        found++;
    if (found == COUNT && variable("RANK"))
        return error_set(error, STATUS_USAGE,
                         "environment variable RANK=%s is set, and WORLD_SIZE is not: set "
                         "both, or neither",
                         variable("RANK"));
    if (found < COUNT)
        status = launcher_read(launch, &launchers[found], error);
    for (int i = 1; found == 0 && i < COUNT && !status; i++)
        status = contradiction_find(launch, &launchers[i], error);
    return status;
}
