#include "backend/cpu/cpu_softmax.h"

#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_target.h"

TARGET_CLONES
float cpu_maximum(const float *z, int64_t count)
{
    float highest = z[0];

#pragma omp simd reduction(max : highest)
    for (int64_t v = 0; v < count; v++)
        highest = z[v] > highest ? z[v] : highest;
    return highest;
}

TARGET_CLONES
float cpu_exponentials(float *z, int64_t count, float highest)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < count; v++) {
        z[v] = exponential(z[v] - highest);
        sum += z[v];
    }
    return sum;
}
