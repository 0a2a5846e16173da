#include "tests/gpu/golden_model.h"

#include "tests/nf4_reference.h"

/*
 * NF4 on the device: the operation gives the CPU's bits (f32), or those rounded once
 * (bf16); a model on a quantised base computes, bit for bit, as one whose weights are the
 * numbers that NF4 gives. tests/unit/test_nf4.c holds quantisation itself to its bounds.
 */

/* ------------------------------------------------------------------------ operation */

/* As it lies on the host, on the device; codes at an odd address where `shifted`. */
static struct nf4_tensor on_device(const struct nf4_tensor *host)
{
    struct nf4_tensor device = *host;
    const size_t codes = (size_t)nf4_code_bytes(host->count);
    const size_t scales = (size_t)nf4_block_count(host->count);
    const size_t steps = (size_t)nf4_group_count(host->count) * sizeof(float);

    device.codes = device_memory(codes, shifted ? (size_t)random_between(1, 7) : 0);
    device.scale_codes = device_memory(scales, shifted ? 1 : 0);
    device.steps = device_memory(steps, 0);
    backend_copy_in(backends[DEVICE], device.codes, host->codes, codes);
    backend_copy_in(backends[DEVICE], device.scale_codes, host->scale_codes, scales);
    backend_copy_in(backends[DEVICE], device.steps, host->steps, steps);
    return device;
}

static void dequantise(enum dtype dtype, int64_t count)
{
    float *values = keep(float, count), *expected = keep(float, count);

    case_begin("%lld in %s, odd %d", (long long)count, dtype_name(dtype), shifted);
    random_fill(values, count);
    for (int64_t i = 0; i < count; i++) /* the absmax of blocks differ */
        values[i] *= 1.0f + (float)(i / NF4_BLOCK % 37);
    struct nf4_host host = nf4_make(values, count);
    const struct nf4_tensor device = on_device(&host.tensor);
    struct operand out = poisoned_vector(dtype, count);
    nf4_dequantize(backends[DEVICE], &out.on[DEVICE], &device);
    nf4_dequantize(backends[HOST], &out.on[HOST], &host.tensor);
    nf4_reference(expected, &host.tensor);
    assert_same_bits("the CPU", host_data(&out), expected, (size_t)count * sizeof(float));
    check_exact("the device", &out, expected);
    release_all();
    nf4_free(&host);
}

static void operation(enum dtype dtype)
{
    const int64_t counts[] = {0,     1,     7,      8,       9,          63,    64,
                              65,    100,   8191,   8192,    8200,       16384, 16385,
                              32776, 50001, 131072, 1000003, 4194304 + 5};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int odd = 0; odd < 2; odd++) {
            if (small && counts[i] > 20000)
                continue;
            shifted = odd;
            dequantise(dtype, counts[i]);
        }
    shifted = false;
}
BOTH_TYPES(operation)

/* ---------------------------------------------------------------------------- model */

/* All parameters begin at multiples of 256 bytes, as the buffer of quantised ones does:
 * cuBLASLt's choice of an algorithm, and with it the order of sums, looks at that. */
static const struct architecture architecture = {.model_type = "llama",
                                                 .layer_count = 2,
                                                 .channels = 256,
                                                 .feed_forward = 768,
                                                 .heads = 4,
                                                 .key_value_heads = 2,
                                                 .head_size = 64,
                                                 .vocabulary = 1024,
                                                 .position_limit = 512,
                                                 .norm_epsilon = 1e-5,
                                                 .rope_theta = 10000,
                                                 .initializer_range = 0.05,
                                                 .tied_embeddings = true,
                                                 .bos_token = 1};
static const struct lora_options lora = {
    .rank = 16, .alpha = 32, .targets = {true, true, true, true, true, true, true}};
enum { TOKENS = 192, DOCUMENTS = 3 };

/* Freed with the case. */
static struct packed_batch batch_make(void)
{
    const int32_t starts[DOCUMENTS + 1] = {0, 100, 101, TOKENS};
    struct packed_batch batch = {.token_count = TOKENS,
                                 .document_count = DOCUMENTS,
                                 .tokens = keep(int32_t, TOKENS),
                                 .positions = keep(int32_t, TOKENS),
                                 .targets = keep(int32_t, TOKENS),
                                 .document_starts = keep(int32_t, DOCUMENTS + 1)};

    memcpy(batch.document_starts, starts, sizeof starts);
    for (int32_t t = 0, n = 0; t < TOKENS; t++) {
        n += t == starts[n + 1];
        batch.tokens[t] = (int32_t)random_between(0, architecture.vocabulary - 1);
        batch.positions[t] = t - starts[n];
        batch.targets[t] = t % 3 ? (int32_t)random_between(0, 30) : -1;
        batch.target_count += batch.targets[t] >= 0;
    }
    return batch;
}

static struct transformer *create(struct backend *backend, enum master_weights masters)
{
    struct transformer *model;
    struct error error = {0};

    check(transformer_create(&model, backend, &architecture, 7, masters, &error), &error);
    return model;
}

/* One on a quantised base, or one with the same numbers in its weights. */
static struct transformer *adapted(enum dtype dtype, bool quantised)
{
    struct transformer *model =
        create(device_for(dtype), quantised ? MASTERS_DROPPED_NF4 : MASTERS_DROPPED);
    struct error error = {0};

    if (!quantised) {
        struct transformer *drawn = create(backends[HOST], MASTERS_DROPPED);
        nf4_replace(model, drawn->base.weights);
        transformer_free(drawn);
    }
    check(transformer_lora_begin(model, &lora, MASTERS_KEPT, &error), &error);
    nf4_draw_adapters(model, 9);
    return model;
}

/* Loss and gradients of the adapters, the gradients kept until the end of the case. */
static float *gradients_of(struct transformer *model, const struct packed_batch *batch,
                           bool recompute, double *loss)
{
    const struct parameter_block *block = transformer_trained(model);
    float *gradients = keep(float, block->count);
    struct cross_entropy_sums sums;
    struct error error = {0};

    check(transformer_training_begin(model, TOKENS, recompute, &error), &error);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, batch, 0.1f, 1.0f / (float)batch->target_count,
                                 &sums);
    backend_copy_out(transformer_backend(model), gradients, block->gradients,
                     (size_t)block->count * sizeof *gradients);
    sync(transformer_backend(model));
    *loss = sums.loss;
    return gradients;
}

static void trains_as_the_dequantised(enum dtype dtype)
{
    for (int recompute = 0; recompute < 2; recompute++) {
        case_begin("quantised base in %s, recompute %d", dtype_name(dtype), recompute);
        const struct packed_batch batch = batch_make();
        float *gradients[2];
        double losses[2], norm = 0;
        int64_t count = 0;
        for (int quantised = 0; quantised < 2; quantised++) {
            struct transformer *model = adapted(dtype, quantised);
            gradients[quantised] =
                gradients_of(model, &batch, recompute, &losses[quantised]);
            count = transformer_trained(model)->count;
            transformer_free(model);
        }
        for (int64_t i = 0; i < count; i++)
            norm += pow((double)gradients[1][i], 2);
        assert_true(isfinite(norm) && norm > 0);
        check_number("loss", losses[1], losses[0], 0);
        assert_same_bits("gradients", gradients[1], gradients[0],
                         (size_t)count * sizeof(float));
        release_all();
    }
}
BOTH_TYPES(trains_as_the_dequantised)

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(operation),
        gpu_tests(trains_as_the_dequantised),
    };
    return cmocka_run_group_tests(tests, models_open, models_close);
}
