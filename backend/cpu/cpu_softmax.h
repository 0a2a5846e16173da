#ifndef HOLDFAST_BACKEND_CPU_CPU_SOFTMAX_H
#define HOLDFAST_BACKEND_CPU_CPU_SOFTMAX_H

#include <stdint.h>

/* Of at least one number. */
float cpu_maximum(const float *z, int64_t count);
/* z <- exp(z - highest); returns the sum. */
float cpu_exponentials(float *z, int64_t count, float highest);

#endif
