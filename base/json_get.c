#include "base/json.h"

#include <math.h>

const cJSON *json_get(const cJSON *object, const char *key)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

static const char *type_words(const cJSON *value)
{
    if (cJSON_IsObject(value))
        return "an object";
    if (cJSON_IsArray(value))
        return "an array";
    if (cJSON_IsString(value))
        return "a string";
    if (cJSON_IsNumber(value))
        return "a number";
    return cJSON_IsBool(value) ? "a boolean" : "null";
}

typedef cJSON_bool type_test(const cJSON *value);

/* *value is NULL where the key is absent (or null, unless required). */
static enum status get(const cJSON **value, const cJSON *object, const char *key,
                       bool required, type_test *is_wanted, const char *wanted,
                       const char *where, struct error *error)
{
    *value = json_get(object, key);
    if (!*value && required)
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" is missing; %s is expected",
                         where, key, wanted);
    if (*value && !required && cJSON_IsNull(*value))
        *value = NULL;
    if (*value && !is_wanted(*value))
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" is %s, but %s is expected",
                         where, key, type_words(*value), wanted);
    return STATUS_OK;
}

static enum status get_string(const cJSON *object, const char *key, bool required,
                              const char **out, const char *where, struct error *error)
{
    const cJSON *value;
    const enum status result =
        get(&value, object, key, required, cJSON_IsString, "a string", where, error);
    if (!result && value)
        *out = value->valuestring;
    return result;
}

static enum status get_number(const cJSON *object, const char *key, bool required,
                              double *out, const char *wanted, const char *where,
                              struct error *error)
{
    const cJSON *value;
    const enum status result =
        get(&value, object, key, required, cJSON_IsNumber, wanted, where, error);
    if (result || !value)
        return result;
    if (!isfinite(value->valuedouble))
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" is too large a number", where,
                         key);
    *out = value->valuedouble;
    return STATUS_OK;
}

/* Doubles hold every whole number up to 2^53; beyond that digits may be lost. */
static enum status get_integer(const cJSON *object, const char *key, bool required,
                               int64_t *out, const char *where, struct error *error)
{
    double number = (double)NAN;
    const enum status result =
        get_number(object, key, required, &number, "a whole number", where, error);
    if (result || isnan(number))
        return result;
    if (number != floor(number))
        return error_set(error, STATUS_FORMAT,
                         "%s: \"%s\" is %.17g, but a whole number is expected", where, key,
                         number);
    if (fabs(number) > 0x1p53)
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" is %.17g, outside -2^53 to 2^53",
                         where, key, number);
    *out = (int64_t)number;
    return STATUS_OK;
}

enum status json_required_string(const cJSON *object, const char *key, const char **out,
                                 const char *where, struct error *error)
{
    return get_string(object, key, true, out, where, error);
}

enum status json_optional_string(const cJSON *object, const char *key, const char **out,
                                 const char *where, struct error *error)
{
    return get_string(object, key, false, out, where, error);
}

enum status json_required_integer(const cJSON *object, const char *key, int64_t *out,
                                  const char *where, struct error *error)
{
    return get_integer(object, key, true, out, where, error);
}

enum status json_optional_integer(const cJSON *object, const char *key, int64_t *out,
                                  const char *where, struct error *error)
{
    return get_integer(object, key, false, out, where, error);
}

enum status json_required_number(const cJSON *object, const char *key, double *out,
                                 const char *where, struct error *error)
{
    return get_number(object, key, true, out, "a number", where, error);
}

enum status json_optional_number(const cJSON *object, const char *key, double *out,
                                 const char *where, struct error *error)
{
    return get_number(object, key, false, out, "a number", where, error);
}

enum status json_optional_bool(const cJSON *object, const char *key, bool *out,
                               const char *where, struct error *error)
{
    const cJSON *value;
    const enum status result =
        get(&value, object, key, false, cJSON_IsBool, "true or false", where, error);
    if (!result && value)
        *out = cJSON_IsTrue(value);
    return result;
}
