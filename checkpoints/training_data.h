#ifndef HOLDFAST_CHECKPOINTS_TRAINING_DATA_H
#define HOLDFAST_CHECKPOINTS_TRAINING_DATA_H

#include "base/error.h"
#include "base/file.h"

#include <stddef.h>
#include <stdint.h>

/*
 * training_data.json: what a model was trained on. `holdfast train` writes it into
 * checkpoints and final/, `holdfast merge` takes it along, and `holdfast eval` looks there
 * for behaviours that the model has seen.
 *
 *     {"trained_on":[{"data":"mix.jsonl","sha256":"…","examples":1200}]}
 *
 * "data" is the path as it was given to train; the hash tells whether a file of that name
 * is still the one. The oldest stands first: what the start model was trained on, as far as
 * it says so, then the run's own data.
 */
struct training_data_file {
    char *data;
    char sha256[SHA256_HEX_BYTES];
    int64_t example_count;
};
struct training_data {
    struct training_data_file *items;
    size_t count;
    size_t capacity;
};

/* Of a model directory; one without the file gives none. After an error nothing is held. */
enum status training_data_read(struct training_data *data, const char *directory,
                               struct error *error);
enum status training_data_parse(struct training_data *data, const char *bytes, size_t count,
                                const char *where, struct error *error);

/* At the end; a file that is there already (by its hash) is not added again. */
void training_data_add(struct training_data *data, const char *path, const char *sha256,
                       int64_t example_count);

/* Writes the file into `directory`; of nothing, no file. */
enum status training_data_write(const struct training_data *data, const char *directory,
                                struct error *error);
void training_data_release(struct training_data *data);

#endif
