#include "base/error.h"
#include "model/architecture_internal.h"

#include <string.h>

/* The window and the layers that have it; layers that do not turn; activations by name. */

static const char full[] = "full_attention", sliding[] = "sliding_attention";

static void layer_set(uint64_t layers[LAYER_LIMIT / 64], int64_t layer)
{
    layers[layer / 64] |= (uint64_t)1 << (layer % 64);
}

/* "layer_types": one of the two names a layer. */
static enum status read_types(struct architecture *a, const struct source *source,
                              const cJSON *types)
{
    const cJSON *item;
    int64_t layer = 0;
    cJSON_ArrayForEach(item, types)
    {
        const char *name = cJSON_IsString(item) ? item->valuestring : "";
        const bool windowed = strcmp(name, sliding) == 0;
        if (layer == a->layer_count || (!windowed && strcmp(name, full) != 0))
            break;
        if (windowed)
            layer_set(a->windowed, layer);
        layer++;
    }
    if (cJSON_IsArray(types) && !item && layer == a->layer_count)
        return STATUS_OK;
    return config_unsupported(source, types,
                              "a list of \"full_attention\" and \"sliding_attention\", "
                              "one for each of \"num_hidden_layers\"");
}

/* Every so many-th layer; the family's default where the file has none. */
static enum status read_period(const struct source *source, const char *key,
                               int64_t family_default, int64_t *period)
{
    const enum status status = config_whole(source, key, LAYER_LIMIT, false, period);
    if (*period < 0)
        *period = family_default;
    return status;
}

/* Where the file does not say which layers. */
static enum status default_layers(struct architecture *a, const struct family *family,
                                  const struct source *source)
{
    int64_t first = 0, period = 0;
    if (family->window_rule == WINDOW_PERIODIC) {
        const enum status status =
            read_period(source, "sliding_window_pattern", family->window_period, &period);
        if (status)
            return status;
    }
    if (family->window_rule == WINDOW_SWITCHED) {
        const cJSON *value = json_get(source->root, "max_window_layers");
        double given = 28;
        const enum status status = config_number(source, "max_window_layers", 0, &given);
        if (status)
            return status;
        if (given != (double)(int64_t)given)
            return config_unsupported(source, value, "a whole number of layers");
        first = (int64_t)given;
    }
    for (int64_t layer = first; layer < a->layer_count; layer++)
        if (family->window_rule != WINDOW_PERIODIC || (layer + 1) % period != 0)
            layer_set(a->windowed, layer);
    return STATUS_OK;
}

int64_t architecture_windowed_count(const struct architecture *a)
{
    int64_t count = 0;
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        count += (int64_t)(a->windowed[layer / 64] >> (layer % 64) & 1);
    return count;
}

int64_t architecture_unturned_count(const struct architecture *a)
{
    int64_t count = 0;
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        count += architecture_turn(a, layer) == TURN_NONE;
    return count;
}

static enum status read_layers(struct architecture *a, const struct family *family,
                               const struct source *source)
{
    const cJSON *types = json_get(source->root, "layer_types");
    const bool given = types && !cJSON_IsNull(types);
    const enum status status =
        given ? read_types(a, source, types) : default_layers(a, family, source);
    if (status)
        return status;
    if (given && family->window_rule == WINDOW_WHEN_GIVEN &&
        architecture_windowed_count(a) < a->layer_count)
        return config_unsupported(source, types,
                                  "\"sliding_window\" is of all layers in this family");
    if (architecture_windowed_count(a) == 0)
        a->window = 0;
    return STATUS_OK;
}

/* No layer has a window: the file must not say otherwise. */
static enum status check_full(const struct architecture *a, const struct source *source)
{
    const cJSON *types = json_get(source->root, "layer_types");
    struct architecture read = {.layer_count = a->layer_count};
    if (!types || cJSON_IsNull(types))
        return STATUS_OK;
    const enum status status = read_types(&read, source, types);
    if (!status && architecture_windowed_count(&read) > 0)
        return config_unsupported(source, types,
                                  "only \"full_attention\" layers without a window");
    return status;
}

enum status window_read(struct architecture *architecture, const struct family *family,
                        const struct source *source)
{
    const cJSON *used = json_get(source->root, "use_sliding_window");
    const cJSON *window = json_get(source->root, "sliding_window");
    const bool off = used && cJSON_IsFalse(used), none = window && cJSON_IsNull(window);
    bool on = false;
    enum status status = STATUS_OK;
    if (family->window_rule == WINDOW_REFUSED) {
        if (window && !none && !off)
            return config_unsupported(source, window, "only null: this family has none");
        return check_full(architecture, source);
    }
    if (family->window_rule == WINDOW_SWITCHED)
        status = json_optional_bool(source->root, "use_sliding_window", &on, source->where,
                                    source->error);
    if (!status && (on || family->window_rule != WINDOW_SWITCHED))
        status =
            config_whole(source, "sliding_window", 1 << 30, false, &architecture->window);
    if (status)
        return status;
    if (architecture->window == ABSENT)
        architecture->window = family->window;
    if (architecture->window <= 0) {
        architecture->window = 0;
        if ((family->window_rope_theta > 0 || family->window_unscaled) &&
            !json_get(source->root, "layer_types"))
            return config_unsupported(source, window,
                                      "a number of tokens, or \"layer_types\" that are "
                                      "all \"full_attention\"");
        return check_full(architecture, source);
    }
    return read_layers(architecture, family, source);
}

/* "no_rope_layers": 1 for each layer that turns, else 0. */
static enum status read_turning(struct architecture *a, const struct source *source,
                                const cJSON *list)
{
    const cJSON *item;
    int64_t layer = 0;
    cJSON_ArrayForEach(item, list)
    {
        const double turns = cJSON_IsNumber(item) ? item->valuedouble : -1.0;
        if (layer == a->layer_count || (turns != 0.0 && turns != 1.0))
            break;
        if (turns == 0.0)
            layer_set(a->unturned, layer);
        layer++;
    }
    if (cJSON_IsArray(list) && !item && layer == a->layer_count)
        return STATUS_OK;
    return config_unsupported(
        source, list, "a list of 1 (turns) and 0, one for each of \"num_hidden_layers\"");
}

enum status unturned_read(struct architecture *a, const struct family *family,
                          const struct source *source)
{
    const cJSON *list = json_get(source->root, "no_rope_layers");
    int64_t period = 0;
    if (family->unturned_period == 0)
        return STATUS_OK;
    if (list && !cJSON_IsNull(list))
        return read_turning(a, source, list);
    const enum status status =
        read_period(source, "no_rope_layer_interval", family->unturned_period, &period);
    for (int64_t layer = period - 1; !status && layer < a->layer_count; layer += period)
        layer_set(a->unturned, layer);
    return status;
}

void unturned_print(const struct architecture *a, const struct family *family,
                    struct json_writer *json)
{
    if (family->unturned_period == 0)
        return;
    json_array_begin(json, "no_rope_layers");
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        json_integer(json, NULL, architecture_turn(a, layer) == TURN_NONE ? 0 : 1);
    json_array_end(json);
}

/* The layer from which on all have the window, if no other has it; else -1. */
static int64_t windows_to_the_end(const struct architecture *a)
{
    int64_t first = 0;
    while (first < a->layer_count && architecture_window(a, first) == 0)
        first++;
    for (int64_t layer = first; layer < a->layer_count; layer++)
        if (architecture_window(a, layer) == 0)
            return -1;
    return first;
}

void window_print(const struct architecture *a, const struct family *family,
                  struct json_writer *json)
{
    if (family->window_rule == WINDOW_REFUSED)
        return;
    if (family->window_rule == WINDOW_SWITCHED)
        json_bool(json, "use_sliding_window", a->window > 0);
    /* Where it may be of some layers transformers makes the mask even if it is of none. */
    const int64_t unused = family->window_rule == WINDOW_PERIODIC ? family->window : 0;
    const int64_t window = a->window > 0 ? a->window : unused;
    if (window > 0)
        json_integer(json, "sliding_window", window);
    else
        json_null(json, "sliding_window");
    if (family->window_rule == WINDOW_WHEN_GIVEN ||
        (a->window == 0 && family->window_rule == WINDOW_SWITCHED))
        return;
    if (family->window_rule == WINDOW_SWITCHED && windows_to_the_end(a) >= 0)
        json_integer(json, "max_window_layers", windows_to_the_end(a)); /* transformers 4 */
    json_array_begin(json, "layer_types");
    for (int64_t layer = 0; layer < a->layer_count; layer++)
        json_string(json, NULL, architecture_window(a, layer) > 0 ? sliding : full);
    json_array_end(json);
}

static const struct {
    const char *name;
    enum activation activation;
} activations[] = {
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"gelu", ACTIVATION_GELU},
};
enum { ACTIVATION_COUNT = sizeof activations / sizeof *activations };

enum status activation_read(struct architecture *architecture, const struct family *family,
                            const struct source *source)
{
    const char *key = family->activation_key ? family->activation_key : "hidden_act";
    const cJSON *value = json_get(source->root, key);
    architecture->activation = family->activation;
    if (!value || cJSON_IsNull(value))
        return STATUS_OK;
    for (int i = 0; i < ACTIVATION_COUNT; i++) {
        const bool possible =
            activations[i].activation != ACTIVATION_SILU || !architecture->gateless;
        if (possible && cJSON_IsString(value) &&
            strcmp(value->valuestring, activations[i].name) == 0) {
            architecture->activation = activations[i].activation;
            return STATUS_OK;
        }
    }
    return config_unsupported(source, value,
                              architecture->gateless
                                  ? "only \"gelu_new\", \"gelu_pytorch_tanh\" and \"gelu\""
                                  : "only \"silu\", \"gelu_pytorch_tanh\" and \"gelu\"");
}

const char *architecture_activation_name(const struct architecture *architecture)
{
    if (architecture->gateless && architecture->activation == ACTIVATION_GELU_TANH)
        return "gelu_new"; /* as GPT-2's files have it */
    for (int i = 0; i < ACTIVATION_COUNT; i++)
        if (activations[i].activation == architecture->activation)
            return activations[i].name;
    CHECK(false);
    return NULL;
}
