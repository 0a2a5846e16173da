#include "model/architecture_internal.h"

#include <math.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* What a kind of scaling is called, and the fields that it reads. */
static const struct {
    const char *name;
    const char *fields[9]; /* ends with NULL */
} kinds[] = {
    [ROPE_DEFAULT] = {"default", {NULL}},
    [ROPE_LINEAR] = {"linear", {"factor", NULL}},
    [ROPE_LLAMA3] = {"llama3",
                     {"factor", "low_freq_factor", "high_freq_factor",
                      "original_max_position_embeddings", NULL}},
    [ROPE_YARN] = {"yarn",
                   {"factor", "original_max_position_embeddings", "attention_factor",
                    "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate",
                    NULL}},
    [ROPE_LONG] = {"longrope",
                   {"short_factor", "long_factor", "factor", "attention_factor",
                    "original_max_position_embeddings", NULL}},
};

/* "su" is what the first Phi-3 files call longrope; transformers takes their "yarn" for
 * that too. */
static enum status read_kind(enum rope_kind *kind, bool long_rope,
                             const struct source *source)
{
    const size_t known = long_rope ? COUNT(kinds) : ROPE_LONG;
    const cJSON *type = json_get(source->root, "rope_type");
    if (!type || cJSON_IsNull(type))
        type = json_get(source->root, "type"); /* older files */
    if (!type || cJSON_IsNull(type))
        return STATUS_OK;
    const char *name = cJSON_IsString(type) ? type->valuestring : "";
    if (strcmp(name, "su") == 0 || (long_rope && strcmp(name, "yarn") == 0))
        name = kinds[ROPE_LONG].name;
    for (size_t i = 0; i < known; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = (enum rope_kind)i;
            return STATUS_OK;
        }
    return config_unsupported(
        source, type,
        long_rope ? "only \"default\", \"linear\", \"llama3\" and \"longrope\""
                  : "only \"default\", \"linear\", \"llama3\" and \"yarn\"");
}

static bool is_known(const char *key, enum rope_kind kind)
{
    static const char *const always[] = {"rope_theta", "rope_type", "type",
                                         "partial_rotary_factor"};
    for (size_t i = 0; i < COUNT(always); i++)
        if (strcmp(key, always[i]) == 0)
            return true;
    for (const char *const *field = kinds[kind].fields; *field; field++)
        if (strcmp(key, *field) == 0)
            return true;
    return false;
}

static enum status check_fields(const struct source *source, enum rope_kind kind,
                                bool partial_rope)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, source->root)
    {
        const bool partial = strcmp(item->string, "partial_rotary_factor") == 0;
        if (!is_known(item->string, kind))
            return config_unsupported(source, item, "this type of rope does not use it");
        if (partial && !partial_rope && !cJSON_IsNull(item) &&
            !(cJSON_IsNumber(item) && item->valuedouble == 1.0))
            return config_unsupported(source, item, "only 1");
    }
    return STATUS_OK;
}

static enum status read_needed(const struct source *source, const char *key, double least,
                               double *out)
{
    const cJSON *value = json_get(source->root, key);
    if (!value || cJSON_IsNull(value))
        return error_set(source->error, STATUS_FORMAT, "%s: \"%s\" is missing",
                         source->where, key);
    return config_number(source, key, least, out);
}

/* transformers takes the one beside the object, whatever stands in it: two that differ
 * would mean one thing there and another to their reader. */
static enum status two_limits(const struct source *config, double inside, double beside)
{
    const char *key = "original_max_position_embeddings";
    return error_set(config->error, STATUS_FORMAT,
                     "%s: \"%s\": %g, but %g beside the object%s, which is what "
                     "transformers takes: give both the same",
                     config->where, key, inside, beside,
                     json_get(config->root, key) ? "" : " (the family's default)");
}

static enum status read_llama3(struct architecture *a, const struct source *config,
                               const struct source *source)
{
    double limit = 0, beside;
    enum status status;
    if ((status = read_needed(source, "low_freq_factor", 1e-6, &a->rope_low_frequency)) ||
        (status = read_needed(source, "high_freq_factor", 1e-6, &a->rope_high_frequency)) ||
        (status = read_needed(source, "original_max_position_embeddings", 1, &limit)))
        return status;
    if (a->rope_high_frequency <= a->rope_low_frequency || limit != floor(limit))
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"high_freq_factor\": %g must be above \"low_freq_factor\": "
                         "%g, and \"original_max_position_embeddings\": %g whole",
                         source->where, a->rope_high_frequency, a->rope_low_frequency,
                         limit);
    a->rope_original_limit = (int64_t)limit;
    beside = limit;
    status = config_number(config, "original_max_position_embeddings", 1, &beside);
    return status || beside == limit ? status : two_limits(config, limit, beside);
}

/* [D / 2] numbers. */
static enum status read_factors(const struct architecture *a, const struct source *source,
                                const char *key, double *out)
{
    const cJSON *list = json_get(source->root, key), *item;
    int64_t count = 0;
    cJSON_ArrayForEach(item, list)
    {
        const double value = cJSON_IsNumber(item) ? item->valuedouble : 0.0;
        if (!(value >= 1e-3 && value <= 1e9) || count >= ROPE_FACTORS)
            break;
        out[count++] = value;
    }
    if (cJSON_IsArray(list) && !item && count == architecture_rotary_size(a) / 2)
        return STATUS_OK;
    return error_set(source->error, STATUS_FORMAT,
                     "%s: \"%s\" must be a list of %lld positive numbers, half of what "
                     "turns of a head (at most %d)",
                     source->where, key, (long long)(architecture_rotary_size(a) / 2),
                     ROPE_FACTORS);
}

static bool is_given(const struct source *source, const char *key)
{
    const cJSON *value = json_get(source->root, key);
    return value && !cJSON_IsNull(value);
}

/* Absent beside the object, it is the class's default; where the class has none (0), the
 * object's, and without that position_limit. */
static enum status read_original_limit(struct architecture *a, double family_default,
                                       const struct source *config,
                                       const struct source *object)
{
    const char *key = "original_max_position_embeddings";
    const bool beside = family_default > 0 || is_given(config, key);
    double limit = family_default > 0 ? family_default : (double)a->position_limit;
    enum status status = config_number(config, key, 2, &limit);
    double inside = limit;
    if (!status)
        status = config_number(object, key, 2, &inside);
    if (status)
        return status;
    if (inside != floor(inside) || limit != floor(limit))
        return error_set(config->error, STATUS_FORMAT, "%s: \"%s\": %g is not whole",
                         config->where, key, limit != floor(limit) ? limit : inside);
    if (beside && inside != limit)
        return two_limits(config, inside, limit);
    a->rope_original_limit = (int64_t)inside;
    return STATUS_OK;
}

/* Leaves *out alone where the object has none. */
static enum status read_optional(const struct source *source, const char *key, double *out)
{
    return is_given(source, key) ? read_needed(source, key, 1e-3, out) : STATUS_OK;
}

static enum status read_long(struct architecture *a, const struct family *family,
                             const struct source *config, const struct source *object)
{
    enum status status;
    if ((status = read_factors(a, object, "short_factor", a->rope_short)) ||
        (status = read_factors(a, object, "long_factor", a->rope_long)) ||
        (status = read_optional(object, "factor", &a->rope_factor)) ||
        (status = read_optional(object, "attention_factor", &a->rope_scale)))
        return status;
    return read_original_limit(a, (double)family->original_limit, config, object);
}

/* Null would be false to transformers, which is not what absent is. */
static enum status read_truncate(struct architecture *a, const struct source *object)
{
    const cJSON *value = json_get(object->root, "truncate");
    if (value && !cJSON_IsBool(value))
        return error_set(object->error, STATUS_FORMAT,
                         "%s: \"truncate\" is neither true nor false", object->where);
    a->rope_untruncated = cJSON_IsFalse(value);
    return STATUS_OK;
}

/* rope_factor and rope_theta are known. */
static enum status read_yarn(struct architecture *a, const struct source *config,
                             const struct source *object)
{
    enum status status;
    a->rope_high_frequency = 32;
    a->rope_low_frequency = 1;
    if ((status = read_optional(object, "beta_fast", &a->rope_high_frequency)) ||
        (status = read_optional(object, "beta_slow", &a->rope_low_frequency)) ||
        (status = read_optional(object, "attention_factor", &a->rope_scale)) ||
        (status = config_number(object, "mscale", 0, &a->rope_mscale)) ||
        (status = config_number(object, "mscale_all_dim", 0, &a->rope_mscale_all)) ||
        (status = read_truncate(a, object)))
        return status;
    if (a->rope_high_frequency < a->rope_low_frequency)
        return error_set(object->error, STATUS_FORMAT,
                         "%s: \"beta_fast\": %g is below \"beta_slow\": %g", object->where,
                         a->rope_high_frequency, a->rope_low_frequency);
    if (a->rope_theta <= 1.0)
        return error_set(object->error, STATUS_FORMAT,
                         "%s: \"rope_theta\": %g must be above 1", object->where,
                         a->rope_theta);
    return read_original_limit(a, 0, config, object);
}

/* partial_rotary_factor, of the config or the object in it: so much of each head turns,
 * cut to a whole number as transformers cuts it. */
static enum status read_partial(struct architecture *a, const struct source *source)
{
    double factor = 1.0;
    const cJSON *given = json_get(source->root, "partial_rotary_factor");
    const enum status status = config_number(source, "partial_rotary_factor", 0, &factor);
    if (status || !given || cJSON_IsNull(given))
        return status;
    if (factor == 1.0) { /* in the object it overrules the config's */
        a->rotary_size = 0;
        return STATUS_OK;
    }
    const int64_t size = factor < 1.0 ? (int64_t)((double)a->head_size * factor) : 0;
    if (size < 2 || size % 2 != 0)
        return error_set(source->error, STATUS_FORMAT,
                         "%s: \"partial_rotary_factor\": %g of a head size of %lld is not "
                         "an even number from 2 to the head size",
                         source->where, factor, (long long)a->head_size);
    a->rotary_size = size == a->head_size ? 0 : size;
    return STATUS_OK;
}

static enum status read_object(struct architecture *a, const struct source *config,
                               const struct source *source)
{
    const struct family *family = family_find(a->model_type);
    enum status status = read_kind(&a->rope_kind, family->original_limit > 0, source);
    if (!status)
        status = check_fields(source, a->rope_kind, family->partial_rope);
    if (!status && family->partial_rope)
        status = read_partial(a, source);
    if (!status)
        status = config_number(source, "rope_theta", 1.0, &a->rope_theta);
    if (!status && a->rope_kind == ROPE_LONG)
        return read_long(a, family, config, source);
    if (!status && a->rope_kind != ROPE_DEFAULT)
        status = read_needed(source, "factor", 1e-3, &a->rope_factor);
    if (!status && a->rope_kind == ROPE_LLAMA3)
        status = read_llama3(a, config, source);
    if (!status && a->rope_kind == ROPE_YARN)
        status = read_yarn(a, config, source);
    return status;
}

/* Of layers with the window: their theta and no scaling. */
static enum status read_window_object(struct architecture *a, const struct source *source)
{
    enum rope_kind kind = ROPE_DEFAULT;
    const cJSON *type = json_get(source->root, "rope_type");
    enum status status = read_kind(&kind, false, source);
    if (!status && kind != ROPE_DEFAULT)
        return config_unsupported(source, type ? type : json_get(source->root, "type"),
                                  "only \"default\" for layers with the window");
    if (!status)
        status = check_fields(source, kind, false);
    return status ? status
                  : config_number(source, "rope_theta", 1.0, &a->window_rope_theta);
}

/* "rope_parameters" of a family whose windowed layers turn otherwise: an object for each
 * kind of layer. */
static enum status read_objects(struct architecture *a, const struct source *config,
                                const struct source *source)
{
    const cJSON *item;
    enum status status = STATUS_OK;
    cJSON_ArrayForEach(item, source->root)
    {
        const struct source part = {item, source->where, source->error};
        const bool windowed = strcmp(item->string, "sliding_attention") == 0;
        if (cJSON_IsNull(item))
            continue;
        if (!cJSON_IsObject(item) ||
            (!windowed && strcmp(item->string, "full_attention") != 0))
            return config_unsupported(source, item,
                                      "only objects \"full_attention\" and "
                                      "\"sliding_attention\"");
        status = windowed ? read_window_object(a, &part) : read_object(a, config, &part);
        if (status)
            return status;
    }
    return status;
}

static bool turns_alike(const struct architecture *a)
{
    return a->rope_kind == ROPE_DEFAULT && a->window_rope_theta == a->rope_theta;
}

enum status rope_read(struct architecture *architecture, const struct source *config)
{
    enum { SCALING, PARAMETERS };
    static const char *const keys[] = {
        [SCALING] = "rope_scaling", [PARAMETERS] = "rope_parameters"};
    const struct family *family = family_find(architecture->model_type);
    bool given = false;
    architecture->rope_theta = family->rope_theta > 0 ? family->rope_theta : 10000.0;
    architecture->window_rope_theta = family->window_rope_theta;
    enum status status =
        config_number(config, "rope_theta", 1.0, &architecture->rope_theta);
    if (!status && family->window_rope_theta > 0)
        status = config_number(config, "rope_local_base_freq", 1.0,
                               &architecture->window_rope_theta);
    if (family->window_unscaled)
        architecture->window_rope_theta = architecture->rope_theta;
    const bool apart = architecture->window_rope_theta > 0;
    if (!status && family->partial_rope)
        status = read_partial(architecture, config);
    for (size_t i = 0; i < COUNT(keys) && !status; i++) {
        const cJSON *object = json_get(config->root, keys[i]);
        if (!object || cJSON_IsNull(object))
            continue;
        if (!cJSON_IsObject(object))
            return error_set(config->error, STATUS_FORMAT, "%s: \"%s\" is not an object",
                             config->where, keys[i]);
        if (given)
            return config_unsupported(config, object,
                                      "beside \"rope_scaling\": keep one of them");
        given = true;
        const struct source source = {object, config->where, config->error};
        status = apart && i == PARAMETERS ? read_objects(architecture, config, &source)
                                          : read_object(architecture, config, &source);
        if (status)
            error_prefix(config->error, "rotary positions (\"%s\")", keys[i]);
    }
    if (architecture_windowed_count(architecture) == 0 ||
        (family->window_unscaled && turns_alike(architecture)))
        architecture->window_rope_theta = 0;
    return status;
}

static void print_factors(const struct architecture *a, const char *key,
                          const double *factors, struct json_writer *json)
{
    json_array_begin(json, key);
    for (int64_t i = 0; i < architecture_rotary_size(a) / 2; i++)
        json_number(json, NULL, factors[i]);
    json_array_end(json);
}

/* As Phi-3's own files, and transformers 4, have it. */
static void print_long(const struct architecture *a, struct json_writer *json)
{
    json_integer(json, "original_max_position_embeddings", a->rope_original_limit);
    json_object_begin(json, "rope_scaling");
    json_string(json, "type", kinds[ROPE_LONG].name);
    print_factors(a, "short_factor", a->rope_short, json);
    print_factors(a, "long_factor", a->rope_long, json);
    if (a->rope_factor > 0)
        json_number(json, "factor", a->rope_factor);
    if (a->rope_scale > 0)
        json_number(json, "attention_factor", a->rope_scale);
    json_object_end(json);
}

static void print_yarn(const struct architecture *a, struct json_writer *json)
{
    json_number(json, "beta_fast", a->rope_high_frequency);
    json_number(json, "beta_slow", a->rope_low_frequency);
    if (a->rope_scale > 0)
        json_real(json, "attention_factor", a->rope_scale);
    if (a->rope_mscale > 0)
        json_number(json, "mscale", a->rope_mscale);
    if (a->rope_mscale_all > 0)
        json_number(json, "mscale_all_dim", a->rope_mscale_all);
    if (a->rope_untruncated)
        json_bool(json, "truncate", false);
    json_integer(json, "original_max_position_embeddings", a->rope_original_limit);
}

/* Cut, it gives the size again. */
static double partial_factor(const struct architecture *a)
{
    const double size = (double)a->rotary_size, all = (double)a->head_size;
    return (int64_t)(all * (size / all)) == a->rotary_size ? size / all
                                                           : (size + 0.5) / all;
}

/* Of an object of any kind but ROPE_LONG. */
static void print_kind(const struct architecture *a, struct json_writer *json)
{
    json_string(json, "rope_type", kinds[a->rope_kind].name);
    if (a->rope_kind != ROPE_DEFAULT)
        json_number(json, "factor", a->rope_factor);
    if (a->rope_kind == ROPE_LLAMA3) {
        json_number(json, "low_freq_factor", a->rope_low_frequency);
        json_number(json, "high_freq_factor", a->rope_high_frequency);
        json_integer(json, "original_max_position_embeddings", a->rope_original_limit);
    }
    if (a->rope_kind == ROPE_YARN)
        print_yarn(a, json);
}

/* An object for each kind of layer, as transformers 5 alone has it. */
static void print_objects(const struct architecture *a, struct json_writer *json)
{
    json_object_begin(json, "rope_parameters");
    json_object_begin(json, "full_attention");
    print_kind(a, json);
    json_real(json, "rope_theta", a->rope_theta);
    json_object_end(json);
    json_object_begin(json, "sliding_attention");
    json_string(json, "rope_type", kinds[ROPE_DEFAULT].name);
    json_real(json, "rope_theta",
              a->window_rope_theta > 0 ? a->window_rope_theta : a->rope_theta);
    json_object_end(json);
    json_object_end(json);
}

/* Whether transformers 4's spelling would not do where scaling is not of layers with the
 * window: 4 has one theta, and 5 (5.17) takes it for the others alone, and the class's
 * default for these. */
static bool needs_objects(const struct architecture *a, const struct family *family)
{
    const double theta = a->window_rope_theta > 0 ? a->window_rope_theta : a->rope_theta;
    return family->window_unscaled && architecture_windowed_count(a) > 0 &&
           (a->rope_theta != family->rope_theta || theta != family->rope_theta);
}

/* In transformers 4's spelling, which 5 reads too, where that can say it. */
void rope_print(const struct architecture *a, struct json_writer *json)
{
    const struct family *family = family_find(a->model_type);
    json_real(json, "rope_theta", a->rope_theta);
    if (family->window_rope_theta > 0 && a->window_rope_theta > 0)
        json_real(json, "rope_local_base_freq", a->window_rope_theta);
    if (a->rotary_size > 0)
        json_real(json, "partial_rotary_factor", partial_factor(a));
    if (a->rope_kind == ROPE_LONG)
        print_long(a, json);
    if (needs_objects(a, family))
        print_objects(a, json);
    else if (a->rope_kind != ROPE_DEFAULT && a->rope_kind != ROPE_LONG) {
        json_object_begin(json, "rope_scaling");
        print_kind(a, json);
        json_object_end(json);
    }
}

static double llama3_frequency(const struct architecture *a, double frequency)
{
    const double pi = 3.14159265358979323846;
    const double original = (double)a->rope_original_limit;
    const double wavelength = 2.0 * pi / frequency;
    const double low = a->rope_low_frequency, high = a->rope_high_frequency;
    if (wavelength < original / high)
        return frequency;
    if (wavelength > original / low)
        return frequency / a->rope_factor;
    const double share = (original / wavelength - low) / (high - low);
    return (1.0 - share) * frequency / a->rope_factor + share * frequency;
}

/* The pair, as a broken number, that turns so often within the original limit. */
static double pair_turning(const struct architecture *a, double turns)
{
    const double pi = 3.14159265358979323846;
    const double original = (double)a->rope_original_limit;
    return (double)architecture_rotary_size(a) * log(original / (turns * 2.0 * pi)) /
           (2.0 * log(a->rope_theta));
}

static double yarn_frequency(const struct architecture *a, int64_t pair, double frequency)
{
    double first = pair_turning(a, a->rope_high_frequency);
    double last = pair_turning(a, a->rope_low_frequency);
    if (!a->rope_untruncated) {
        first = floor(first);
        last = ceil(last);
    }
    first = fmax(first, 0.0);
    last = fmin(last, (double)architecture_rotary_size(a) - 1.0);
    if (first == last)
        last += 0.001;
    const double ramp = ((double)pair - first) / (last - first);
    const double share = fmin(fmax(ramp, 0.0), 1.0);
    return share * frequency / a->rope_factor + (1.0 - share) * frequency;
}

bool architecture_rope_longer(const struct architecture *a, int64_t length)
{
    return a->rope_kind == ROPE_LONG && length > a->rope_original_limit;
}

void architecture_rope_frequencies(const struct architecture *a, bool longer,
                                   float *frequencies)
{
    const int64_t size = architecture_rotary_size(a);
    for (int64_t i = 0; i < size / 2; i++) {
        const float exponent = (float)(2 * i) / (float)size;
        const double wave = pow(a->rope_theta, (double)exponent);
        double frequency = (double)(float)(1.0 / wave);
        if (a->rope_kind == ROPE_LINEAR)
            frequency /= a->rope_factor;
        else if (a->rope_kind == ROPE_LLAMA3)
            frequency = llama3_frequency(a, frequency);
        else if (a->rope_kind == ROPE_YARN)
            frequency = yarn_frequency(a, i, frequency);
        else if (a->rope_kind == ROPE_LONG)
            frequency = 1.0 / ((longer ? a->rope_long : a->rope_short)[i] * wave);
        frequencies[i] = (float)frequency;
    }
}

static double yarn_scale(const struct architecture *a)
{
    const double growth = a->rope_factor > 1.0 ? 0.1 * log(a->rope_factor) : 0.0;
    if (a->rope_mscale > 0 && a->rope_mscale_all > 0)
        return (a->rope_mscale * growth + 1.0) / (a->rope_mscale_all * growth + 1.0);
    return growth + 1.0;
}

double architecture_rope_scale(const struct architecture *a)
{
    const double original = (double)a->rope_original_limit;
    if (a->rope_kind != ROPE_LONG && a->rope_kind != ROPE_YARN)
        return 1.0;
    if (a->rope_scale > 0)
        return a->rope_scale;
    if (a->rope_kind == ROPE_YARN)
        return yarn_scale(a);
    const double longer =
        a->rope_factor > 0 ? a->rope_factor : (double)a->position_limit / original;
    if (longer <= 1.0)
        return 1.0;
    return sqrt(1.0 + log(longer) / log(original));
}
