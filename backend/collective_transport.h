#ifndef HOLDFAST_BACKEND_COLLECTIVE_TRANSPORT_H
#define HOLDFAST_BACKEND_COLLECTIVE_TRANSPORT_H

#include "backend/collective.h"

/*
 * What a back-end does for backend/collective.c, by field name; memory is the back-end's.
 * Only backend/ includes this file.
 */
struct collective_transport {
    /* As process_group_exchange(); on a device in the order of its stream. */
    enum status (*exchange)(struct collectives *, const struct process_transfer *transfers,
                            struct error *);
    /* out [count] <- the sum of parts [size, stride], row 0 first; f32 or f64. */
    enum status (*sum_parts)(struct collectives *, void *out, const void *parts,
                             int64_t stride, int64_t count, enum dtype dtype,
                             struct error *);
    enum status (*wait)(struct collectives *, struct error *);
    void (*close)(struct collectives *); /* frees what it opened, not the struct */
};

/* The first member of every transport's own struct. */
struct collectives {
    const struct collective_transport *transport;
    struct backend *backend;
    struct process_group *group;
    int rank;
    int size;
    struct process_transfer *transfers; /* [size] */
    void *staging;                      /* device memory: what has come, before the sum */
    size_t staging_bytes;
};

/* One per back-end: fills *collectives (heap) with its transport and staging_bytes; the
 * other fields are filled behind it, backend, group, rank and size before. */
enum status cpu_collectives_open(struct collectives **collectives,
                                 const struct collectives *base, struct error *error);
enum status cuda_collectives_open(struct collectives **collectives,
                                  const struct collectives *base, struct error *error);

#endif
