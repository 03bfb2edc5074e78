#include "connectors/http/failure.h"

/* What was sent and got no usable answer can be this record's or the target's: one request may be too much for it, or all are. */
#define UNSURE_IF_RETRY(after) (OUTCOME_##after == OUTCOME_RETRY ? REFUSAL_UNSURE : REFUSAL_SURE)
#define ROW(code, before, end, after, sentence) \
    { CURLE_##code, OUTCOME_##before, HTTP_##end, OUTCOME_##after, UNSURE_IF_RETRY(after), sentence }
#define HERE(code, before, end, after, sentence) { CURLE_##code, OUTCOME_##before, HTTP_##end, OUTCOME_##after, REFUSAL_SURE, sentence }

static const struct failure_row table[] = {
    /* on the way there */
    ROW(COULDNT_RESOLVE_HOST, TARGET_DOWN, LOST, TARGET_DOWN, "the host name cannot be resolved; check the name and this machine's DNS"),
    ROW(COULDNT_RESOLVE_PROXY, TARGET_DOWN, LOST, TARGET_DOWN, "the name of the proxy cannot be resolved; check the option proxy"),
    ROW(COULDNT_CONNECT, TARGET_DOWN, LOST, TARGET_DOWN, "no connection"),
    ROW(PROXY, TARGET_DOWN, LOST, TARGET_DOWN, "the proxy does not let us through; check the option proxy"),
    ROW(INTERFACE_FAILED, TARGET_DOWN, LOST, TARGET_DOWN, "no network interface to send from"),
    ROW(OPERATION_TIMEDOUT, TARGET_DOWN, LOST, RETRY, "no answer in time"),
    /* TLS */
    ROW(SSL_CONNECT_ERROR, TARGET_DOWN, LOST, TARGET_DOWN, "the TLS handshake failed"),
    ROW(PEER_FAILED_VERIFICATION, TARGET_DOWN, LOST, TARGET_DOWN, "the server's TLS certificate is not accepted"),
    ROW(SSL_ISSUER_ERROR, TARGET_DOWN, LOST, TARGET_DOWN, "the issuer of the server's TLS certificate is not accepted"),
    ROW(SSL_INVALIDCERTSTATUS, TARGET_DOWN, LOST, TARGET_DOWN, "the status of the server's TLS certificate is not accepted"),
    ROW(SSL_PINNEDPUBKEYNOTMATCH, TARGET_DOWN, LOST, TARGET_DOWN, "the server has another key than the one expected"),
    ROW(SSL_CACERT_BADFILE, TARGET_DOWN, LOST, TARGET_DOWN, "ca_file holds no certificate that can be read; right would be a PEM file"),
    ROW(SSL_CERTPROBLEM, TARGET_DOWN, LOST, TARGET_DOWN,
        "tls_certificate and tls_key cannot be used; right would be PEM, a key that belongs to the certificate, no passphrase"),
    ROW(SSL_CLIENTCERT, TARGET_DOWN, LOST, TARGET_DOWN,
        "the server wants a client certificate; set tls_certificate and tls_key to one that it trusts"),
    ROW(SSL_CIPHER, TARGET_DOWN, LOST, TARGET_DOWN, "no TLS cipher that both sides know"),
    ROW(SSL_ENGINE_NOTFOUND, TARGET_DOWN, LOST, TARGET_DOWN, "the TLS library lacks its crypto engine"),
    ROW(SSL_ENGINE_SETFAILED, TARGET_DOWN, LOST, TARGET_DOWN, "the TLS library cannot use its crypto engine"),
    ROW(SSL_ENGINE_INITFAILED, TARGET_DOWN, LOST, TARGET_DOWN, "the TLS library cannot start its crypto engine"),
    ROW(SSL_CRL_BADFILE, TARGET_DOWN, LOST, TARGET_DOWN, "the list of revoked certificates cannot be read"),
    ROW(SSL_SHUTDOWN_FAILED, TARGET_DOWN, LOST, RETRY, "the TLS connection did not end in order"),
    /* sent, and no whole answer */
    ROW(SEND_ERROR, TARGET_DOWN, LOST, RETRY, "the connection broke while the request was sent"),
    ROW(RECV_ERROR, TARGET_DOWN, LOST, RETRY, "the connection broke before the whole answer was there"),
    ROW(GOT_NOTHING, TARGET_DOWN, LOST, RETRY, "the connection was closed without an answer"),
    ROW(PARTIAL_FILE, TARGET_DOWN, LOST, RETRY, "the connection was closed in the middle of the answer"),
    ROW(SEND_FAIL_REWIND, TARGET_DOWN, LOST, RETRY, "the connection broke while the request was sent"),
    ROW(HTTP2, TARGET_DOWN, LOST, RETRY, "the HTTP/2 connection broke"),
    ROW(HTTP2_STREAM, TARGET_DOWN, LOST, RETRY, "the server reset the HTTP/2 stream"),
    ROW(HTTP3, TARGET_DOWN, LOST, RETRY, "the HTTP/3 connection broke"),
    ROW(QUIC_CONNECT_ERROR, TARGET_DOWN, LOST, TARGET_DOWN, "no QUIC connection"),
    ROW(ABORTED_BY_CALLBACK, RETRY, LOST, RETRY,
        "the kept connection was closed before an answer came; not sent again, since the first may have been carried out"),
    ROW(UNRECOVERABLE_POLL, RETRY, LOST, RETRY, "waiting for the connection failed"),
    ROW(NO_CONNECTION_AVAILABLE, RETRY, LOST, RETRY, "no connection is free"),
    /* an answer that is none */
    ROW(UNSUPPORTED_PROTOCOL, TARGET_DOWN, BAD, TARGET_DOWN, "what answers there does not speak HTTP"),
    ROW(WEIRD_SERVER_REPLY, TARGET_DOWN, BAD, TARGET_DOWN, "what answers there does not speak HTTP"),
    ROW(BAD_CONTENT_ENCODING, RETRY, BAD, RETRY, "the answer's compression is broken"),
    ROW(FILESIZE_EXCEEDED, RETRY, BAD, RETRY, "the answer is larger than answer_size_max: raise that option, or let the request ask for less"),
    ROW(WRITE_ERROR, RETRY, BAD, RETRY, "the answer is larger than answer_size_max: raise that option, or let the request ask for less"),
    ROW(HTTP_RETURNED_ERROR, RETRY, BAD, RETRY, "an answer that does not belong here"),
    ROW(RANGE_ERROR, RETRY, BAD, RETRY, "an answer that does not belong here"),
    ROW(TOO_MANY_REDIRECTS, RETRY, BAD, RETRY, "too many redirects"),
    /* here: nobody else's fault */
    HERE(URL_MALFORMAT, REJECTED, BAD, REJECTED, "the URL cannot be read"),
    HERE(OUT_OF_MEMORY, RETRY, LOST, RETRY, "out of memory"),
    HERE(FAILED_INIT, RETRY, LOST, RETRY, "the HTTP library cannot start"),
    HERE(NOT_BUILT_IN, REJECTED, BAD, REJECTED, "this machine's libcurl cannot do this"),
    HERE(BAD_FUNCTION_ARGUMENT, REJECTED, BAD, REJECTED, "the HTTP library refuses the request"),
    HERE(UNKNOWN_OPTION, REJECTED, BAD, REJECTED, "this machine's libcurl lacks an option"),
    HERE(READ_ERROR, REJECTED, LOST, RETRY, "the request could not be read while it was sent"),
    { FAILURE_UNKNOWN, OUTCOME_RETRY, HTTP_LOST, OUTCOME_RETRY, REFUSAL_UNSURE, "the HTTP library failed" },
};

const struct failure_row *failure_table(void)
{
    return table;
}

const struct failure_row *failure_row(int code)
{
    const struct failure_row *row = table;

    while (row->code != code && row->code != FAILURE_UNKNOWN)
        row++;
    return row;
}
