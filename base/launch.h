#ifndef HOLDFAST_BASE_LAUNCH_H
#define HOLDFAST_BASE_LAUNCH_H

#include "base/error.h"

#include <stdint.h>

/*
 * Which of several processes this one is. Every launcher says so in the environment:
 *
 *     torchrun, by hand      RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, LOCAL_RANK
 *     mpirun of Open MPI     OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE
 *     mpirun of MPICH/Intel  PMI_RANK, PMI_SIZE, MPI_LOCALRANKID, MPI_LOCALNRANKS
 *     srun                   SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID,
 *                            SLURM_STEP_NODELIST
 *
 * The first that is there counts. One set by hand that contradicts a launcher (WORLD_SIZE=1
 * left over in a shell from which mpirun starts four) is an error, as each process would
 * think that it is alone; so is RANK without WORLD_SIZE.
 *
 * Where rank 0 listens: MASTER_ADDR and MASTER_PORT, under any launcher; else, on one
 * machine, 127.0.0.1, and under srun the first machine of the step; the port is then made
 * from the job's own number, so that jobs side by side do not meet. So it is where torchrun
 * keeps MASTER_PORT for itself (TORCHELASTIC_USE_AGENT_STORE). Several machines under
 * mpirun need MASTER_ADDR.
 */
enum { LAUNCH_ADDRESS_BYTES = 256, LAUNCH_SIZE_MAXIMUM = 1024 };

struct launch {
    int rank;
    int size;       /* 1: a process on its own */
    int local_rank; /* among those of this machine; -1: the launcher does not say */
    char address[LAUNCH_ADDRESS_BYTES];
    int port;
    uint64_t job; /* the same in all processes of a job, likely another in another one */
};

/* Without any of these variables: rank 0 of 1. A number that is none is STATUS_USAGE; where
 * the others can be told nevertheless (process_group_decline()), rank is -1 and port set.
 */
enum status launch_read(struct launch *launch, struct error *error);

#endif
