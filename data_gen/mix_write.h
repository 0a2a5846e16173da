#ifndef HOLDFAST_DATA_GEN_MIX_WRITE_H
#define HOLDFAST_DATA_GEN_MIX_WRITE_H

#include "base/error.h"
#include "data_gen/mix_build.h"
#include "data_gen/mix_export.h"

/*
 * Writes the mix of one ratio to `path`, and beside it its manifest and the held-out
 * requests, as data_command.h says.
 */
enum status mix_cut_write(struct mix_build *build, size_t cut,
                          const struct mix_recipe *recipe, enum mix_format format,
                          const char *path, struct error *error);

/* mix_manifest.c: the manifest of a cut that was written, as JSON. */
void mix_manifest_print(const struct mix_build *build, const struct mix_cut *cut,
                        const struct mix_recipe *recipe, struct text_buffer *out);

#endif
