#include "base/launch.h"

#include "tests/unit/fixture.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_USE_AGENT_STORE",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "PMIX_NAMESPACE",
    "OMPI_MCA_ess_base_jobid",
    "PMI_RANK",
    "PMI_SIZE",
    "MPI_LOCALRANKID",
    "MPI_LOCALNRANKS",
    "SLURM_PROCID",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_LOCALID",
    "SLURM_STEP_NODELIST",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
};

/* "NAME=value NAME=value …" and nothing else of these names. */
static enum status read_with(struct launch *launch, const char *settings)
{
    char copy[512];
    error = (struct error){0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    snprintf(copy, sizeof copy, "%s", settings);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value = '\0';
        setenv(word, value + 1, 1);
    }
    return launch_read(launch, &error);
}

static void assert_launch(const char *settings, int rank, int size, int local_rank,
                          const char *address, int port)
{
    struct launch launch;
    if (read_with(&launch, settings))
        fail_msg("%s: %s", settings, error.message);
    assert_int_equal(launch.rank, rank);
    assert_int_equal(launch.size, size);
    assert_int_equal(launch.local_rank, local_rank);
    assert_string_equal(launch.address, address);
    if (port)
        assert_int_equal(launch.port, port);
    else if (size > 1)
        assert_in_range(launch.port, 20000, 29999);
}

static void assert_refused(const char *settings, const char *words)
{
    struct launch launch;
    assert_int_equal(read_with(&launch, settings), STATUS_USAGE);
    if (!strstr(error.message, words))
        fail_msg("%s: no \"%s\" in: %s", settings, words, error.message);
}

static void test_alone(void **state)
{
    (void)state;
    assert_launch("", 0, 1, -1, "", 0);
    assert_launch("RANK=0 WORLD_SIZE=1", 0, 1, -1, "", 0);
    /* A batch script of Slurm is not a step. */
    assert_launch("SLURM_PROCID=0 SLURM_JOB_ID=7", 0, 1, -1, "", 0);
}

static void test_torchrun(void **state)
{
    (void)state;
    assert_launch("RANK=1 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=10.0.0.7 MASTER_PORT=29500",
                  1, 2, 0, "10.0.0.7", 29500);
    assert_launch("RANK=2 WORLD_SIZE=4 MASTER_ADDR=host MASTER_PORT=1", 2, 4, -1, "host",
                  1);
    assert_launch("RANK=1 WORLD_SIZE=2 LOCAL_WORLD_SIZE=2", 1, 2, -1, "127.0.0.1", 0);
}

static void test_mpirun(void **state)
{
    (void)state;
    const char *const open_mpi =
        "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_RANK=1 "
        "OMPI_COMM_WORLD_LOCAL_SIZE=3 PMIX_NAMESPACE=1234.1";
    assert_launch(open_mpi, 1, 3, 1, "127.0.0.1", 0);
    assert_launch("PMI_RANK=1 PMI_SIZE=2 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=1", 1, 2, 1,
                  "127.0.0.1", 0);
    assert_launch("OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=8 "
                  "OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=4 "
                  "MASTER_ADDR=a7 MASTER_PORT=4000",
                  5, 8, 1, "a7", 4000);
    /* mpirun inside of a Slurm step */
    assert_launch("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 "
                  "OMPI_COMM_WORLD_LOCAL_SIZE=2 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1",
                  1, 2, -1, "127.0.0.1", 0);
    assert_refused("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 "
                   "OMPI_COMM_WORLD_LOCAL_SIZE=1",
                   "MASTER_ADDR");
}

static void test_srun(void **state)
{
    (void)state;
    static const char *const nodes[][2] = {
        {"gpu[07-09,12],login", "gpu07"},
        {"a1,a2", "a1"},
        {"n[1-2]-ib", "n1-ib"},
        {"one", "one"},
        {"c[3,5]", "c3"},
    };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char settings[256];
        snprintf(settings, sizeof settings,
                 "SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=1 SLURM_JOB_ID=99 "
                 "SLURM_STEP_ID=0 SLURM_STEP_NODELIST=%s",
                 nodes[i][0]);
        assert_launch(settings, 2, 4, 1, nodes[i][1], 0);
    }
    assert_refused("SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_NODELIST=gpu[1-",
                   "no ']'");
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("WORLD_SIZE=2 MASTER_ADDR=a", "RANK is not");
    assert_refused("RANK=3", "WORLD_SIZE is not");
    assert_refused("RANK=2 WORLD_SIZE=2 MASTER_ADDR=a", "from 0 to 1");
    assert_refused("RANK=0 WORLD_SIZE=two MASTER_ADDR=a", "WORLD_SIZE=two");
    assert_refused("RANK=0 WORLD_SIZE=2", "MASTER_ADDR");
    assert_refused("RANK=0 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=70000", "65535");
}

/* What is left over in a shell, or set in half. */
static void test_contradictions(void **state)
{
    (void)state;
    static const char mpirun[] = "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4 "
                                 "OMPI_COMM_WORLD_LOCAL_SIZE=4 MASTER_ADDR=a";
    static const char srun[] = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 MASTER_ADDR=a";
    char settings[256];
    snprintf(settings, sizeof settings, "RANK=0 WORLD_SIZE=1 %s", mpirun);
    assert_refused(settings, "contradict OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4");
    snprintf(settings, sizeof settings, "RANK=3 WORLD_SIZE=4 %s", mpirun);
    assert_refused(settings, "contradict");
    snprintf(settings, sizeof settings, "RANK=2 WORLD_SIZE=4 %s", mpirun);
    assert_launch(settings, 2, 4, -1, "a", 0);
    snprintf(settings, sizeof settings, "RANK=0 WORLD_SIZE=1 %s", srun);
    assert_refused(settings, "contradict SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2");
    /* Each task of srun starts four: by a loop of its own, or torchrun. */
    snprintf(settings, sizeof settings, "RANK=6 WORLD_SIZE=8 %s", srun);
    assert_launch(settings, 6, 8, -1, "a", 0);
    snprintf(settings, sizeof settings, "RANK=0 WORLD_SIZE=1 TORCHELASTIC_RUN_ID=x %s",
             srun);
    assert_launch(settings, 0, 1, -1, "", 0);
}

/* Where the launcher's own process has MASTER_PORT, all ranks make the same other one. */
static void test_agent_store(void **state)
{
    (void)state;
    static const char format[] =
        "RANK=%d WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=%d TORCHELASTIC_RUN_ID=none "
        "TORCHELASTIC_USE_AGENT_STORE=%s";
    struct launch launches[4];
    for (int i = 0; i < 4; i++) {
        char settings[256];
        snprintf(settings, sizeof settings, format, i % 2, i < 2 ? 25001 : 25002,
                 i < 3 ? "True" : "False");
        assert_int_equal(read_with(&launches[i], settings), STATUS_OK);
    }
    assert_in_range(launches[0].port, 20000, 29999);
    assert_int_not_equal(launches[0].port, 25001);
    assert_int_equal(launches[0].port, launches[1].port);
    assert_int_not_equal(launches[0].port, launches[2].port);
    assert_int_equal(launches[3].port, 25002);
}

/* Whoever does not know its number can tell the others so. */
static void test_no_number(void **state)
{
    (void)state;
    struct launch launch;
    assert_int_equal(read_with(&launch, "RANK=2 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=7"),
                     STATUS_USAGE);
    assert_int_equal(launch.rank, -1);
    assert_int_equal(launch.size, 2);
    assert_int_equal(launch.port, 7);
    assert_string_equal(launch.address, "a");
    assert_int_equal(read_with(&launch, "RANK=2 WORLD_SIZE=2"), STATUS_USAGE);
    assert_int_equal(launch.port, 0);
    assert_non_null(strstr(error.message, "from 0 to 1"));
}

/* Jobs side by side on one machine take other ports, all ranks of one job the same. */
static void test_ports(void **state)
{
    (void)state;
    static const char format[] = "SLURM_PROCID=%d SLURM_STEP_NUM_TASKS=2 SLURM_JOB_ID=%d "
                                 "SLURM_STEP_ID=0 SLURM_STEP_NODELIST=a";
    struct launch launches[3];
    for (int i = 0; i < 3; i++) {
        char settings[256];
        snprintf(settings, sizeof settings, format, i % 2, 41 + i / 2);
        assert_int_equal(read_with(&launches[i], settings), STATUS_OK);
    }
    assert_int_equal(launches[0].port, launches[1].port);
    assert_true(launches[0].job == launches[1].job);
    assert_int_not_equal(launches[0].port, launches[2].port);
    assert_true(launches[0].job != launches[2].job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),          cmocka_unit_test(test_torchrun),
        cmocka_unit_test(test_mpirun),         cmocka_unit_test(test_srun),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_agent_store),
        cmocka_unit_test(test_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
