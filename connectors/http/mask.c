#include "connectors/http/mask.h"

#include <ctype.h>
#include <jansson.h>
#include <strings.h>

#include "base/file.h"
#include "base/str.h"
#include "connectors/http/base64.h"
#include "connectors/http/http.h"

#define CUT "…"

/* Takes `form` over. */
static void add_form(struct mask *mask, char *form)
{
    for (size_t i = 0; form != NULL && i < mask->count; i++)
        if (str_equal(mask->forms[i], form)) {
            secret_free(form);
            return;
        }
    char **forms = form != NULL ? realloc(mask->forms, (mask->count + 1) * sizeof(*forms)) : NULL;
    if (forms == NULL) {
        secret_free(form);
        mask->failed = true;
        return;
    }
    mask->forms = forms;
    forms[mask->count++] = form;
}

/* As it stands between the quotes of a JSON text; NULL for what is no UTF-8. */
static char *json_form(const char *secret, size_t flags)
{
    json_t *string = json_string(secret);
    char *text = string != NULL ? json_dumps(string, JSON_ENCODE_ANY | flags) : NULL;
    char *form = text != NULL ? strndup(text + 1, strlen(text) - 2) : NULL;

    json_decref(string);
    secret_free(text);
    return form;
}

static char *encoded_form(const char *secret)
{
    struct buf buf = { 0 };

    http_encode(&buf, secret, strlen(secret));
    return buf_take(&buf);
}

static char *base64_form(const char *secret)
{
    struct buf buf = { 0 };

    base64_add(&buf, secret, strlen(secret));
    return buf_take(&buf);
}

void mask_add(struct mask *mask, const char *secret)
{
    if (secret == NULL || *secret == '\0')
        return;
    add_form(mask, str_dup(secret));
    add_form(mask, encoded_form(secret));
    add_form(mask, base64_form(secret));
    if (str_is_utf8(secret, strlen(secret))) {
        add_form(mask, json_form(secret, 0));
        add_form(mask, json_form(secret, JSON_ENSURE_ASCII));
        add_form(mask, json_form(secret, JSON_ESCAPE_SLASH));
    }
}

/* The text that Basic encodes: its base64 is another one than the password's alone. */
static void add_pair(struct mask *mask, const char *name, const char *secret)
{
    if (name == NULL || secret == NULL)
        return;
    char *pair = str_printf("%s:%s", name, secret);
    add_form(mask, pair != NULL ? base64_form(pair) : NULL);
    secret_free(pair);
}

void mask_add_settings(struct mask *mask, const struct http_settings *settings)
{
    const char *const secrets[] = { settings->token,         settings->password,   settings->api_key,
                                    settings->client_secret, settings->client_key, settings->tls_key };

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        mask_add(mask, secrets[i]);
    add_pair(mask, settings->user, settings->password);
    if (settings->client_id == NULL || settings->client_secret == NULL)
        return;
    char *id = encoded_form(settings->client_id), *secret = encoded_form(settings->client_secret);
    if (id == NULL || secret == NULL)
        mask->failed = true;
    add_pair(mask, id, secret);
    secret_free(id);
    secret_free(secret);
}

void mask_clear(struct mask *mask)
{
    for (size_t i = 0; i < mask->count; i++)
        secret_free(mask->forms[i]);
    free(mask->forms);
    *mask = (struct mask){ 0 };
}

/* Length of the longest secret that begins here. Hex digits and more may come back in the other case. */
static size_t secret_at(const struct mask *mask, const char *text, size_t left)
{
    size_t longest = 0;

    for (size_t i = 0; i < mask->count; i++) {
        if (tolower((unsigned char)mask->forms[i][0]) != tolower((unsigned char)*text))
            continue; /* nearly always */
        size_t length = strlen(mask->forms[i]);
        if (length > longest && length <= left && strncasecmp(text, mask->forms[i], length) == 0)
            longest = length;
    }
    return longest;
}

char *mask_text(const struct mask *mask, const char *text, size_t length, size_t most)
{
    cleanup_buf struct buf plain = { 0 }, shown = { 0 };

    if (mask->failed)
        return NULL;
    for (size_t i = 0; i < length && plain.length <= most + 8;) {
        size_t secret = secret_at(mask, text + i, length - i);
        if (secret > 0)
            buf_add_str(&plain, "***");
        else
            buf_add_char(&plain, text[i] != '\0' ? text[i] : ' ');
        i += secret > 0 ? secret : 1;
    }
    buf_add_visible(&shown, plain.bytes != NULL ? plain.bytes : "");
    if (plain.failed || shown.failed)
        return NULL;
    if (shown.length > most && most > strlen(CUT)) {
        shown.bytes[most - strlen(CUT)] = '\0';
        str_trim_partial_utf8(shown.bytes);
        shown.length = strlen(shown.bytes);
        buf_add_str(&shown, CUT);
    }
    return buf_take(&shown);
}
