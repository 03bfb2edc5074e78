#include "connectors/http/diagnose.h"

#include <errno.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "connectors/http/transfer.h"
#include "connectors/http/url.h"

static bool detail_has(const struct diagnosis *diagnosis, const char *words)
{
    return strcasestr(diagnosis->detail, words) != NULL;
}

static int64_t time_of(const struct diagnosis *diagnosis, CURLINFO what)
{
    curl_off_t us = 0;

    return curl_easy_getinfo(diagnosis->curl, what, &us) == CURLE_OK ? (int64_t)us : 0;
}

static void add_seconds(struct buf *buf, int64_t us)
{
    buf_printf(buf, "%lld.%lld s", (long long)(us / 1000000), (long long)(us % 1000000 / 100000));
}

/* ---- connection ---- */

static void add_connect(struct buf *buf, const struct diagnosis *diagnosis)
{
    long errnum = 0;

    curl_easy_getinfo(diagnosis->curl, CURLINFO_OS_ERRNO, &errnum);
    if (errnum == ECONNREFUSED)
        buf_add_str(buf, "connection refused (nothing listens there)");
    else
        buf_printf(buf, "no connection: %s", errnum != 0 ? strerror((int)errnum) : diagnosis->detail);
}

static void add_timeout(struct buf *buf, const struct diagnosis *diagnosis)
{
    const struct http_settings *settings = diagnosis->settings;
    int64_t connect_us = settings->connect_timeout_us;

    if (diagnosis->begun)
        buf_printf(buf, "the request was sent, and %s within ",
                   time_of(diagnosis, CURLINFO_STARTTRANSFER_TIME_T) > 0 ? "its answer was not complete" : "no answer came");
    else if (time_of(diagnosis, CURLINFO_NAMELOOKUP_TIME_T) == 0)
        buf_add_str(buf, "the host name was not resolved within ");
    else
        buf_add_str(buf, diagnosis->handshaking ? "the connection stands, but its TLS handshake was not finished within "
                                                : "no connection (is a firewall in between?) within ");
    add_seconds(buf, diagnosis->begun || diagnosis->timeout_us < connect_us ? diagnosis->timeout_us : connect_us);
}

/* ---- certificate ---- */

/* What the entry "NAME:value" of a certificate says; NULL: nothing. */
static const char *certificate_says(const struct curl_slist *entries, const char *name)
{
    size_t length = strlen(name);

    for (; entries != NULL; entries = entries->next)
        if (strncasecmp(entries->data, name, length) == 0 && entries->data[length] == ':')
            return entries->data + length + 1;
    return NULL;
}

static time_t date_of(const struct curl_slist *entries, const char *name)
{
    const char *text = certificate_says(entries, name);

    return text != NULL ? curl_getdate(text, NULL) : -1;
}

static void add_date(struct buf *buf, const char *words, time_t when)
{
    char text[32] = "?";
    struct tm tm;

    if (gmtime_r(&when, &tm) != NULL)
        strftime(text, sizeof(text), "%F %T UTC", &tm);
    buf_printf(buf, "%s %s", words, text);
}

/* True and added when a certificate of the chain is out of its time. */
static bool add_dates(struct buf *buf, const struct curl_certinfo *chain, time_t now)
{
    for (int i = 0; i < chain->num_of_certs; i++) {
        const struct curl_slist *entries = chain->certinfo[i];
        time_t until = date_of(entries, "Expire date"), from = date_of(entries, "Start date");
        const char *whose = i == 0 ? "it" : certificate_says(entries, "Subject");
        if ((until == -1 || until >= now) && (from == -1 || from <= now))
            continue;
        buf_printf(buf, "%s ", whose != NULL ? whose : "one of its chain");
        if (until != -1 && until < now)
            add_date(buf, "expired on", until);
        else
            add_date(buf, "is not valid before", from);
        return true;
    }
    return false;
}

static void add_certificate_fault(struct buf *buf, const struct diagnosis *diagnosis, const struct curl_certinfo *chain)
{
    const struct curl_slist *own = chain->certinfo[0];
    const char *names = certificate_says(own, "X509v3 Subject Alternative Name");
    const char *subject = certificate_says(own, "Subject"), *issuer = certificate_says(own, "Issuer");
    struct url_parts parts = { 0 };

    url_parse(diagnosis->url, &parts);
    if (add_dates(buf, chain, time(NULL)))
        ;
    else if (detail_has(diagnosis, "subject name") || detail_has(diagnosis, "does not match"))
        buf_printf(buf, "it is not for the host \"%s\" but for %s", parts.host != NULL ? parts.host : "?",
                   names != NULL ? names : subject != NULL ? subject : "?");
    else if (detail_has(diagnosis, "issuer") || detail_has(diagnosis, "self"))
        buf_printf(buf, "its issuer is none of the authorities in %s",
                   diagnosis->settings->ca_file != NULL ? diagnosis->settings->ca_file : "the system's list; name its file in ca_file");
    else
        buf_add_str(buf, diagnosis->detail);
    buf_printf(buf, " (subject: %s; issuer: %s)", subject != NULL ? subject : "none", issuer != NULL ? issuer : "none");
    url_parts_clear(&parts);
}

static CURLcode look_again(CURL *curl, const struct diagnosis *diagnosis)
{
    CURLcode code = transfer_set_connection(curl, diagnosis->settings, diagnosis->settings->connect_timeout_us);

    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_URL, diagnosis->url);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L); /* nothing is sent */
    return code == CURLE_OK ? curl_easy_perform(curl) : code;
}

static void add_certificate(struct buf *buf, const struct diagnosis *diagnosis)
{
    struct curl_certinfo *chain = NULL;
    CURL *curl = curl_easy_init();

    buf_add_str(buf, "the server's TLS certificate is not accepted: ");
    if (curl != NULL && look_again(curl, diagnosis) == CURLE_OK &&
        curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) == CURLE_OK && chain != NULL && chain->num_of_certs > 0)
        add_certificate_fault(buf, diagnosis, chain);
    else
        buf_add_str(buf, diagnosis->detail);
    curl_easy_cleanup(curl);
}

/* The words of TLS alerts that speak of the certificate which the client shows (RFC 8446 §6.2). */
bool diagnose_refused_certificate(const struct diagnosis *diagnosis)
{
    static const char *const alerts[] = { "certificate required", "bad certificate", "unsupported certificate", "certificate revoked",
                                          "certificate expired",  "certificate unknown", "unknown ca" };

    if (!detail_has(diagnosis, "alert"))
        return false;
    for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
        if (detail_has(diagnosis, alerts[i]))
            return true;
    return false;
}

static void add_handshake(struct buf *buf, const struct diagnosis *diagnosis)
{
    buf_printf(buf, "the TLS handshake failed: %s (is that port TLS, of version 1.2 or later?%s)", diagnosis->detail,
               diagnosis->settings->tls_certificate == NULL ? " does it want a client certificate?" : "");
}

/* ---- all of it ---- */

static void add_row(struct buf *buf, const struct diagnosis *diagnosis, const struct failure_row *row)
{
    bool more = *diagnosis->detail != '\0' && diagnosis->code != CURLE_WRITE_ERROR && diagnosis->code != CURLE_FILESIZE_EXCEEDED &&
                diagnosis->code != CURLE_ABORTED_BY_CALLBACK;

    buf_printf(buf, "%s%s%s", row->sentence, more ? ": " : "", more ? diagnosis->detail : "");
}

char *diagnose(const struct diagnosis *diagnosis, const struct failure_row *row)
{
    struct url_parts parts = { 0 };
    struct buf buf = { 0 };

    url_parse(diagnosis->url, &parts);
    buf_printf(&buf, "%s at %s: ", diagnosis->shown, parts.origin != NULL ? parts.origin : "?");
    url_parts_clear(&parts);
    if (diagnose_refused_certificate(diagnosis))
        buf_printf(&buf, "%s: %s",
                   diagnosis->settings->tls_certificate != NULL
                       ? "the server does not accept the client certificate in tls_certificate"
                       : "the server wants a client certificate; set tls_certificate and tls_key to one that it trusts",
                   diagnosis->detail);
    else if (diagnosis->code == CURLE_COULDNT_CONNECT)
        add_connect(&buf, diagnosis);
    else if (diagnosis->code == CURLE_OPERATION_TIMEDOUT)
        add_timeout(&buf, diagnosis);
    else if (diagnosis->code == CURLE_PEER_FAILED_VERIFICATION)
        add_certificate(&buf, diagnosis);
    else if (diagnosis->code == CURLE_SSL_CONNECT_ERROR)
        add_handshake(&buf, diagnosis);
    else
        add_row(&buf, diagnosis, row);
    return buf_take(&buf);
}
