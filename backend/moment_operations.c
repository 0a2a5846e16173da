#include "backend/moment_operations.h"

#include "backend/operation_checks.h"

void adamw_update_8bit(struct backend *backend, struct tensor *weight,
                       struct tensor *remainder, const struct moment8 *moment1,
                       const struct moment8 *moment2, const struct tensor *gradient,
                       const struct tensor *norm_squared,
                       const struct adamw_step_parameters *parameters)
{
    const int64_t count = tensor_count(weight);

    CHECK(!remainder || weight->dtype == DTYPE_BF16);
    check_vector(weight, held_dtype(backend, weight), count);
    if (remainder)
        check_vector(remainder, DTYPE_I16, count);
    CHECK(count == 0 || (moment1->codes && moment1->scales));
    CHECK(count == 0 || (moment2->codes && moment2->scales));
    check_vector(gradient, DTYPE_F32, count);
    check_vector(norm_squared, DTYPE_F64, 1);
    CHECK(parameters->step >= 1 && parameters->offset >= 0);
    if (!backend->error.status && count > 0)
        backend->table->adamw_update_8bit(backend, weight, remainder, moment1, moment2,
                                          gradient, norm_squared, parameters);
}
