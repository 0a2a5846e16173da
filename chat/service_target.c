#include "base/memory.h"
#include "chat/service.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* A part of the URL as an owned string, "" if there is none. */
static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return memory_duplicate_string("");
    char *copy = memory_duplicate_string(text);
    curl_free(text);
    return copy;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    const CURLUcode code = curl_url_get(url, part, &text, 0);
    curl_free(text);
    return code == CURLUE_OK;
}

static bool host_is_loopback(const char *host)
{
    struct in_addr address;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static enum status url_check(CURLU *url, struct service_target *target, const char *given,
                             bool insecure_http, struct error *error)
{
    char *scheme = part_of(url, CURLUPART_SCHEME);
    char *host = part_of(url, CURLUPART_HOST);
    const bool plain = strcmp(scheme, "http") == 0;
    enum status status = STATUS_OK;
    target->loopback = host_is_loopback(host);
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD) ||
        has_part(url, CURLUPART_QUERY))
        status = error_set(error, STATUS_USAGE,
                           "--model: the URL holds a user, a password or a query, which "
                           "would be written into the run; keys come from the environment");
    else if (!plain && strcmp(scheme, "https") != 0)
        status = error_set(error, STATUS_USAGE, "--model %s: only http and https are known",
                           given);
    else if (plain && !target->loopback && !insecure_http)
        status = error_set(error, STATUS_USAGE,
                           "--model %s: http sends key and prompts in clear; use https, or "
                           "--insecure-http in a network you trust",
                           given);
    free(scheme);
    free(host);
    return status;
}

static enum status path_complete(CURLU *url, const struct service *service,
                                 struct error *error)
{
    struct text_buffer path = {0};
    char *given = part_of(url, CURLUPART_PATH);
    size_t length = strlen(given);
    while (length > 0 && given[length - 1] == '/')
        given[--length] = '\0';
    text_buffer_append(&path, given);
    if (!text_ends_with(given, service->path))
        text_buffer_appendf(&path, "%s/%s", length == 0 ? "/v1" : "", service->path);
    const CURLUcode code = curl_url_set(url, CURLUPART_PATH, text_buffer_string(&path), 0);
    text_buffer_release(&path);
    free(given);
    return code == CURLUE_OK
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "--model: %s", curl_url_strerror(code));
}

static bool has_control_characters(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7F)
            return true;
    return false;
}

static enum status url_set(CURLU *url, const char *given, struct error *error)
{
    if (has_control_characters(given))
        return error_set(error, STATUS_USAGE,
                         "--model: the URL holds blanks or control characters");
    const CURLUcode code = curl_url_set(url, CURLUPART_URL, given, 0);
    if (code == CURLUE_OK)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "--model: this is no URL with http:// or https://: %s",
                     curl_url_strerror(code));
}

/* HOLDFAST_KEY_API_EXAMPLE_COM_8443; heap. */
static char *key_variable_of(CURLU *url)
{
    struct text_buffer name = {0};
    char *host = part_of(url, CURLUPART_HOST);
    char *port = part_of(url, CURLUPART_PORT);
    text_buffer_appendf(&name, "HOLDFAST_KEY_%s%s%s", host, *port ? "_" : "", port);
    char *variable = text_buffer_detach(&name);
    for (char *at = variable; *at; at++)
        *at = isalnum((unsigned char)*at) ? (char)toupper((unsigned char)*at) : '_';
    free(host);
    free(port);
    return variable;
}

enum status service_target_parse(struct service_target *target,
                                 const struct service *service, const char *text,
                                 bool insecure_http, struct error *error)
{
    const char *mark = strchr(text, '#');
    *target = (struct service_target){.url = NULL};
    if (!mark || !mark[1] || mark == text)
        return error_set(error, STATUS_USAGE,
                         "--model %sURL#NAME: the URL of the service, '#', and the model's "
                         "name there",
                         service->prefix);
    CURLU *url = curl_url();
    CHECK(url);
    char *given = memory_duplicate_bytes(text, (size_t)(mark - text));
    enum status status = url_set(url, given, error);
    if (!status)
        status = url_check(url, target, given, insecure_http, error);
    if (!status)
        status = path_complete(url, service, error);
    if (!status) {
        target->url = part_of(url, CURLUPART_URL);
        target->model = memory_duplicate_string(mark + 1);
        target->key_variable = key_variable_of(url);
    }
    free(given);
    curl_url_cleanup(url);
    return status;
}

void service_target_release(struct service_target *target)
{
    free(target->url);
    free(target->model);
    free(target->key_variable);
    *target = (struct service_target){.url = NULL};
}
