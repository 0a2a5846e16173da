#include "tests/gpu/gpu_fixture.h"

static const char *const other_devices[] = {"tpu",     "cuda:",   "cuda:x",
                                            "cuda:1x", "cuda:-1", "cudax"};

static enum status try_open(const char *device, const char *precision, struct error *error)
{
    struct backend *backend = NULL;
    const enum status status = backend_open(
        &backend, &(struct backend_options){.device = device, .precision = precision},
        error);

    assert_true((status == STATUS_OK) == (backend != NULL));
    backend_close(backend);
    return status;
}

static void open_errors(void **state)
{
    struct error error = {0};

    (void)state;
    require(DTYPE_F32);
    assert_int_not_equal(try_open("cuda:99", "bf16", &error), STATUS_OK);
    if (!strstr(error.message, "cuda:99"))
        fail_msg("the device is not named: %s", error.message);
    if (!device_is_cpu())
        assert_int_equal(error.status, STATUS_USAGE);
    assert_int_equal(try_open("cuda", "int8", &error), STATUS_USAGE);
    assert_non_null(strstr(error.message, "int8"));
    for (size_t i = 0; i < sizeof other_devices / sizeof *other_devices; i++) {
        assert_int_equal(try_open(other_devices[i], "fp32", &error), STATUS_USAGE);
        assert_non_null(strstr(error.message, other_devices[i]));
    }
    device_sync(); /* the one that is open does not mind */
}

static void precisions(void **state)
{
    static const struct {
        const char *name;
        enum dtype dtype;
    } known[] = {{"fp32", DTYPE_F32},
                 {"bf16", DTYPE_BF16},
                 {"auto", DTYPE_BF16},
                 {NULL, DTYPE_BF16}};

    (void)state;
    require(DTYPE_BF16);
    for (int i = 0; i < 4; i++) {
        struct backend *backend;
        struct error error = {0};
        const struct backend_options options = {.device = "cuda",
                                                .precision = known[i].name};
        if (backend_open(&backend, &options, &error))
            fail_msg("%s", error.message);
        assert_int_equal(backend_compute_dtype(backend), known[i].dtype);
        assert_string_equal(backend_name(backend), "cuda");
        assert_true(strlen(backend_description(backend)) > 10);
        assert_int_equal(backend_sync(backend, &error), STATUS_OK);
        backend_close(backend);
    }
}

static void *allocate(size_t bytes)
{
    struct error error = {0};
    void *memory = backend_allocate(backends[DEVICE], bytes, &error);

    if (!memory)
        fail_msg("%zu bytes: %s", bytes, error.message);
    return memory;
}

/* New memory is zero, also where freed memory was not. */
static void memory_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {1, 3, 255, 4096, 1000001, 70000000};

    (void)state;
    require(DTYPE_F32);
    const size_t alignment = device_is_cpu() ? 64 : 256;
    for (int i = 0; i < (small ? 5 : 6); i++) {
        unsigned char *host = memory_allocate(sizes[i]);
        for (int round = 0; round < 3; round++) {
            void *memory = allocate(sizes[i]);
            assert_int_equal((uintptr_t)memory % alignment, 0);
            memset(host, 0xFF, sizes[i]);
            backend_copy_out(backends[DEVICE], host, memory, sizes[i]);
            device_sync();
            for (size_t j = 0; j < sizes[i]; j++)
                if (host[j])
                    fail_msg("byte %zu of %zu is %d", j, sizes[i], host[j]);
            memset(host, 0xFF, sizes[i]);
            backend_copy_in(backends[DEVICE], memory, host, sizes[i]);
            backend_free(backends[DEVICE], memory);
        }
        free(host);
    }
    backend_free(backends[DEVICE], allocate(0));
    backend_free(backends[DEVICE], NULL);
}

/* Bytes that differ from place to place and from round to round. */
static void pattern_fill(unsigned char *bytes, size_t count, uint32_t round)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)((i * 2654435761U + round * 40503U) >> 11);
}

/* There and back, at odd addresses; what lies beside stays. The host's memory is used
 * again at once after copy_in. */
static void copy_case(size_t bytes, size_t offset)
{
    unsigned char *there = memory_allocate(bytes + 1), *back = memory_allocate(bytes + 3);
    unsigned char *expected = memory_allocate(bytes + 1);
    unsigned char *memory = allocate(bytes + offset + 7);

    pattern_fill(there, bytes, 1);
    memcpy(expected, there, bytes);
    backend_copy_in(backends[DEVICE], memory + offset, there, bytes);
    memset(there, 0xEE, bytes);
    back[0] = back[bytes + 1] = 77;
    backend_copy_out(backends[DEVICE], back + 1, memory + offset, bytes);
    device_sync();
    assert_same_bits("there and back", back + 1, expected, bytes);
    assert_int_equal(back[0], 77);
    assert_int_equal(back[bytes + 1], 77);
    backend_copy_out(backends[DEVICE], there, memory + offset + bytes, 1);
    device_sync();
    assert_int_equal(there[0], 0);
    backend_free(backends[DEVICE], memory);
    free(there);
    free(back);
    free(expected);
}

static void copies(void **state)
{
    const size_t mebi = 1 << 20;
    const size_t sizes[] = {1,        3,        64,       1000,          65535,
                            65536,    65537,    mebi - 1, mebi,          mebi + 1,
                            2 * mebi, 5000003U, 8388608U, 70 * mebi + 1, 133 * mebi};

    (void)state;
    require(DTYPE_F32);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        case_begin("a copy of %zu bytes", sizes[i]);
        if (small && sizes[i] > mebi + 1)
            break;
        copy_case(sizes[i], 0);
        copy_case(sizes[i], 1 + i % 5);
    }
    backend_copy_in(backends[DEVICE], NULL, NULL, 0);
    backend_copy_out(backends[DEVICE], NULL, NULL, 0);
    device_sync();
}

/* Copies of more than a slot through one host buffer, without waiting: more than all slots
 * hold. */
static void copies_of_several_slots(void **state)
{
    enum { BYTES = (1 << 20) + 4097 };
    const size_t count = small ? 3 : 21;
    unsigned char *buffer = keep_bytes(BYTES), *back = keep_bytes(count * BYTES), *memory;

    (void)state;
    require(DTYPE_F32);
    case_begin("copies of several slots");
    memory = allocate(count * BYTES);
    for (size_t i = 0; i < count; i++) {
        pattern_fill(buffer, BYTES, (uint32_t)i);
        backend_copy_in(backends[DEVICE], memory + i * BYTES, buffer, BYTES);
    }
    backend_copy_out(backends[DEVICE], back, memory, count * BYTES);
    device_sync();
    for (size_t i = 0; i < count; i++) {
        pattern_fill(buffer, BYTES, (uint32_t)i);
        assert_memory_equal(back + i * BYTES, buffer, BYTES);
    }
    backend_free(backends[DEVICE], memory);
}

/* Thousands of small copies in both directions without waiting, through one host buffer on
 * the way there. */
static void many_copies(void **state)
{
    enum { BYTES = 300 };
    const size_t count = small ? 3000 : 20000;
    unsigned char buffer[BYTES], *back, *memory;

    (void)state;
    require(DTYPE_F32);
    case_begin("many copies");
    back = memory_allocate(count * BYTES);
    memory = allocate(count * BYTES);
    for (size_t i = 0; i < count; i++) {
        pattern_fill(buffer, BYTES, (uint32_t)i);
        backend_copy_in(backends[DEVICE], memory + i * BYTES, buffer, 1 + i % BYTES);
    }
    for (size_t i = 0; i < count; i++)
        backend_copy_out(backends[DEVICE], back + i * BYTES, memory + i * BYTES,
                         1 + i % BYTES);
    device_sync();
    for (size_t i = 0; i < count; i++) {
        pattern_fill(buffer, BYTES, (uint32_t)i);
        assert_memory_equal(back + i * BYTES, buffer, 1 + i % BYTES);
    }
    backend_free(backends[DEVICE], memory);
    free(back);
}

/* Copies are in order with operations. */
static void copies_keep_order(void **state)
{
    enum { COUNT = 100000, ROUNDS = 20 };
    static float host[COUNT], back[ROUNDS];

    (void)state;
    require(DTYPE_F32);
    case_begin("order of copies");
    struct tensor values = tensor_view_1d(allocate(sizeof host), DTYPE_F32, COUNT);
    for (int round = 0; round < ROUNDS; round++) {
        host[COUNT - 1] = (float)round;
        backend_copy_in(backends[DEVICE], values.data, host, sizeof host);
        add(backends[DEVICE], &values, &values, &values);
        backend_copy_out(backends[DEVICE], &back[round], (float *)values.data + COUNT - 1,
                         sizeof *back);
    }
    device_sync();
    for (int round = 0; round < ROUNDS; round++)
        assert_true(back[round] == 2 * (float)round);
    backend_free(backends[DEVICE], values.data);
}

static void too_much_memory(void **state)
{
    struct error error = {0};
    size_t free_bytes = 0, total_bytes = 0;
    float back = 0;

    (void)state;
    require(DTYPE_F32);
    assert_null(backend_allocate(backends[DEVICE], (size_t)1 << 50, &error));
    assert_int_equal(error.status, STATUS_MEMORY);
    assert_true(strlen(error.message) > 0);
    if (!device_is_cpu()) {
        assert_true(backend_memory(backends[DEVICE], &free_bytes, &total_bytes));
        assert_true(free_bytes > 0 && free_bytes <= total_bytes);
        assert_true(total_bytes > (size_t)1 << 30);
        error = (struct error){0};
        assert_null(backend_allocate(backends[DEVICE], total_bytes + 1, &error));
        assert_int_equal(error.status, STATUS_MEMORY);
    }
    struct tensor one = tensor_view_1d(allocate(4), DTYPE_F32, 1); /* still of use */
    fill(backends[DEVICE], &one, 2.5f);
    backend_copy_out(backends[DEVICE], &back, one.data, sizeof back);
    device_sync();
    assert_true(back == 2.5f);
    backend_free(backends[DEVICE], one.data);
}

static void memory_is_counted(void **state)
{
    const size_t bytes = (size_t)256 << 20;
    size_t before, after, total;

    (void)state;
    require(DTYPE_BF16);
    assert_true(backend_memory(backends[DEVICE], &before, &total));
    void *memory = allocate(bytes);
    assert_true(backend_memory(backends[DEVICE], &after, &total));
    assert_true(after + bytes <= before + (1 << 20)); /* others share the device */
    backend_free(backends[DEVICE], memory);
}

/* Nothing runs while it is recorded; a launch runs it on what the memory then holds. */
static void recordings_replay(void **state)
{
    enum { COUNT = 1000 };
    struct backend *device = backends[DEVICE];
    float seen = -1, last = -1;

    (void)state;
    require(DTYPE_F32);
    case_begin("recording");
    struct tensor sum = tensor_view_1d(allocate(COUNT * 4), DTYPE_F32, COUNT);
    struct tensor step = tensor_view_1d(allocate(COUNT * 4), DTYPE_F32, COUNT);
    fill(device, &sum, 1.0f);
    if (!backend_record_begin(device)) {
        backend_free(device, sum.data);
        backend_free(device, step.data);
        skip();
    }
    fill(device, &step, 0.5f);
    add(device, &sum, &sum, &step);
    scale(device, &sum, 2.0f);
    backend_copy_out(device, &seen, (float *)sum.data + COUNT - 1, sizeof seen);
    struct recording *recording = backend_record_end(device);
    assert_non_null(recording);
    device_sync();
    assert_true(seen == -1.0f);
    for (float expected = 1; expected < 100; expected = (expected + 0.5f) * 2) {
        backend_copy_out(device, &last, (float *)sum.data + COUNT - 1, sizeof last);
        backend_record_launch(device, recording);
        device_sync();
        assert_true(last == expected);
        assert_true(seen == (expected + 0.5f) * 2);
    }
    fill(device, &sum, 8.0f); /* operations go on beside it */
    backend_record_launch(device, recording);
    backend_record_launch(device, recording);
    device_sync();
    assert_true(seen == ((8.0f + 0.5f) * 2 + 0.5f) * 2);
    backend_record_free(device, recording);
    backend_free(device, sum.data);
    backend_free(device, step.data);
}

/* A block as decoding records it: the replay has the bits of the operations. */
static void recorded_products(void **state)
{
    enum { T = 5, C = 64, M = 96 };
    struct backend *device = backends[DEVICE];

    (void)state;
    require(DTYPE_BF16);
    case_begin("recorded products");
    const struct operand in = random_matrix(DTYPE_BF16, T, C);
    const struct operand weight = random_matrix(DTYPE_BF16, M, C);
    const struct operand norm = random_vector(DTYPE_BF16, C);
    struct operand normed = poisoned_matrix(DTYPE_BF16, T, C);
    struct operand rstd = poisoned_vector(DTYPE_F32, T);
    struct operand out = poisoned_matrix(DTYPE_BF16, T, M);
    struct recording *recording = NULL;
    const void *expected = NULL;
    for (int round = 0; round < 2; round++) { /* as they are, then recorded */
        if (round == 1)
            assert_true(backend_record_begin(device));
        rms_norm_forward(device, &normed.on[DEVICE], &rstd.on[DEVICE], &in.on[DEVICE],
                         &norm.on[DEVICE], 0.0f, 1e-5f);
        linear_decode(device, &out.on[DEVICE], &normed.on[DEVICE], &weight.on[DEVICE], NULL,
                      NULL);
        if (round == 0)
            expected = fetch(&out.on[DEVICE]);
        else
            recording = backend_record_end(device);
    }
    assert_non_null(recording);
    for (int launch = 0; launch < 3; launch++) {
        poison(&out);
        backend_record_launch(device, recording);
        assert_same_bits("replay", fetch(&out.on[DEVICE]), expected,
                         tensor_bytes(&out.on[DEVICE]));
    }
    backend_record_free(device, recording);
    release_all();
}

/* Two back-ends on one device do not get in each other's way. */
static void two_at_once(void **state)
{
    enum { COUNT = 50000, ROUNDS = 50 };
    struct backend *pair[2] = {backends[DEVICE], NULL};
    struct tensor values[2];
    static float back[2][COUNT];
    struct error error = {0};

    (void)state;
    require(DTYPE_BF16);
    if (backend_open(&pair[1], &(struct backend_options){.device = "cuda"}, &error))
        fail_msg("%s", error.message);
    for (int i = 0; i < 2; i++) {
        void *memory = backend_allocate(pair[i], sizeof back[i], &error);
        assert_non_null(memory);
        values[i] = tensor_view_1d(memory, DTYPE_F32, COUNT);
        fill(pair[i], &values[i], (float)(i + 1));
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 2; i++)
            scale(pair[i], &values[i], round % 2 ? 0.25f : 4.0f);
    for (int i = 0; i < 2; i++) {
        backend_copy_out(pair[i], back[i], values[i].data, sizeof back[i]);
        assert_int_equal(backend_sync(pair[i], &error), STATUS_OK);
        for (int j = 0; j < COUNT; j++)
            assert_true(back[i][j] == (float)(i + 1));
        backend_free(pair[i], values[i].data);
    }
    backend_close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_test(open_errors),
        gpu_test(precisions),
        gpu_test(memory_is_zeroed_and_aligned),
        gpu_test(copies),
        gpu_test(copies_of_several_slots),
        gpu_test(many_copies),
        gpu_test(copies_keep_order),
        gpu_test(too_much_memory),
        gpu_test(memory_is_counted),
        gpu_test(recordings_replay),
        gpu_test(recorded_products),
        gpu_test(two_at_once),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
