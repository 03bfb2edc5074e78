#include "connectors/http/assertion.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/random.h"
#include "base/str.h"
#include "connectors/http/base64.h"

#define VALID_SECONDS 300

static const struct algorithm {
    const char *name;
    gnutls_pk_algorithm_t key;
    unsigned least_bits;
    gnutls_sign_algorithm_t sign;
    const char *key_words;
} algorithms[] = {
    [HTTP_RS256] = { "RS256", GNUTLS_PK_RSA, 2048, GNUTLS_SIGN_RSA_SHA256, "an RSA key of 2048 bits or more" },
    [HTTP_ES256] = { "ES256", GNUTLS_PK_ECDSA, 256, GNUTLS_SIGN_ECDSA_SHA256, "an EC key on the curve P-256" },
    [HTTP_PS256] = { "PS256", GNUTLS_PK_RSA, 2048, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, "an RSA key of 2048 bits or more" },
};

static void private_key_free(gnutls_privkey_t key)
{
    gnutls_privkey_deinit(key);
}
DEFINE_CLEANUP(struct gnutls_privkey_st, private_key_free);

static int key_error(const struct algorithm *algorithm, const char *seen, struct error *error)
{
    return error_set(error, ERROR_INVALID, "%s; %s signs with %s, as PEM without a passphrase", seen, algorithm->name,
                     algorithm->key_words);
}

static bool is_p256(gnutls_privkey_t key)
{
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

    return gnutls_privkey_export_ecc_raw2(key, &curve, NULL, NULL, NULL, 0) >= 0 && curve == GNUTLS_ECC_CURVE_SECP256R1;
}

static int load_key(const struct http_settings *settings, gnutls_privkey_t *ret_key, struct error *error)
{
    const struct algorithm *algorithm = &algorithms[settings->client_algorithm];
    gnutls_datum_t pem = { (unsigned char *)settings->client_key, (unsigned)strlen(settings->client_key) };
    cleanup_of(private_key_free) gnutls_privkey_t key = NULL;
    unsigned bits = 0;

    if (gnutls_privkey_init(&key) < 0)
        return error_nomem(error);
    int code = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code == GNUTLS_E_DECRYPTION_FAILED)
        return key_error(algorithm, "it is encrypted with a passphrase", error);
    if (code < 0)
        return key_error(algorithm, "it holds no private key that can be read", error);
    int kind = gnutls_privkey_get_pk_algorithm(key, &bits);
    if (kind != (int)algorithm->key || bits < algorithm->least_bits || (kind == GNUTLS_PK_ECDSA && !is_p256(key))) {
        cleanup_free char *seen = str_printf("it is a key for %s of %u bits", gnutls_pk_get_name((gnutls_pk_algorithm_t)kind), bits);
        return key_error(algorithm, seen != NULL ? seen : "it is another kind of key", error);
    }
    *ret_key = take_pointer(key);
    return 0;
}

int assertion_check_key(const struct http_settings *settings, struct error *error)
{
    cleanup_of(private_key_free) gnutls_privkey_t key = NULL;

    return load_key(settings, &key, error);
}

/* ---- the signature ---- */

/* JWS wants r and s as two numbers of 32 bytes each, GnuTLS gives them in DER. */
static int add_raw_ecdsa(struct buf *buf, const gnutls_datum_t *der)
{
    gnutls_datum_t part[2] = { { NULL, 0 }, { NULL, 0 } };
    unsigned char raw[64] = { 0 };
    int code = gnutls_decode_rs_value(der, &part[0], &part[1]);

    for (size_t i = 0; code >= 0 && i < 2; i++) {
        const unsigned char *bytes = part[i].data;
        size_t size = part[i].size;
        for (; size > 32 && *bytes == 0; size--)
            bytes++;
        if (size <= 32)
            memcpy(raw + 32 * i + (32 - size), bytes, size);
        else
            code = GNUTLS_E_INTERNAL_ERROR;
    }
    if (code >= 0)
        base64url_add(buf, raw, sizeof(raw));
    gnutls_free(part[0].data);
    gnutls_free(part[1].data);
    return code;
}

static int add_signature(struct buf *buf, gnutls_privkey_t key, const struct algorithm *algorithm)
{
    gnutls_datum_t data = { (unsigned char *)buf->bytes, (unsigned)buf->length }, signature = { NULL, 0 };
    int code = gnutls_privkey_sign_data2(key, algorithm->sign, 0, &data, &signature);

    if (code < 0)
        return code;
    buf_add_char(buf, '.');
    if (algorithm->key == GNUTLS_PK_ECDSA)
        code = add_raw_ecdsa(buf, &signature);
    else
        base64url_add(buf, signature.data, signature.size);
    gnutls_free(signature.data);
    return code;
}

/* ---- header and claims ---- */

/* Takes the object over; NULL: out of memory. */
static void add_json(struct buf *buf, json_t *object)
{
    cleanup_free char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text != NULL)
        base64url_add(buf, text, strlen(text));
    else
        buf->failed = true;
    json_decref(object);
}

static json_t *make_header(const struct http_settings *settings, const struct algorithm *algorithm)
{
    return json_pack("{s:s, s:s, s:s*}", "alg", algorithm->name, "typ", "JWT", "kid", settings->client_key_id);
}

static json_t *make_claims(const struct http_settings *settings, struct wall now)
{
    struct random_source *random = random_system();
    json_int_t seconds = now.us / 1000000;
    char id[33];

    snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64, random->next(random), random->next(random));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", settings->client_id, "sub", settings->client_id, "aud",
                     settings->token_url, "jti", id, "iat", seconds, "exp", seconds + VALID_SECONDS);
}

int assertion_make(const struct http_settings *settings, struct wall now, char **ret_assertion, struct error *error)
{
    const struct algorithm *algorithm = &algorithms[settings->client_algorithm];
    cleanup_of(private_key_free) gnutls_privkey_t key = NULL;
    cleanup_buf struct buf buf = { 0 };
    int code = load_key(settings, &key, error);

    if (code < 0)
        return code;
    add_json(&buf, make_header(settings, algorithm));
    buf_add_char(&buf, '.');
    add_json(&buf, make_claims(settings, now));
    if (buf.failed)
        return error_nomem(error);
    code = add_signature(&buf, key, algorithm);
    if (code < 0)
        return error_set(error, ERROR_INTERNAL, "the assertion cannot be signed with client_key: %s", gnutls_strerror(code));
    char *assertion = buf_take(&buf);
    if (assertion == NULL)
        return error_nomem(error);
    *ret_assertion = assertion;
    return 0;
}
