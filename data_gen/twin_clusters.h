#ifndef HOLDFAST_DATA_GEN_TWIN_CLUSTERS_H
#define HOLDFAST_DATA_GEN_TWIN_CLUSTERS_H

#include <stddef.h>

/*
 * Puts texts together that ask for the same thing in other words, so that they can be dealt
 * to one side of a split: twins of the leak check's tense mode (data_gen/leak.h), each way
 * around, and twins of twins (the connected components).
 *
 * cluster  [count]  read: cluster[i] <= i, equal for texts that belong together already
 * (the smallest number of them). Updated: the smallest number in i's cluster.
 */
void twin_clusters_find(const char *const *texts, size_t count, double threshold,
                        size_t *cluster);

#endif
