/*
 * api.h: calls to the running agent, over its Unix socket.
 *
 * Calling sequence:
 *     const struct api_param params[] = { { "target", target }, { NULL, NULL } };
 *     int code = api_call(ctl, "GET", "/v1/dead", params, &json);
 * Errors: said on standard error; the exit code is returned (CTL_UNREACHABLE
 * when nobody answers, CTL_UNWELL when the agent refuses).
 * Ownership: the JSON is the caller's. Threads: one.
 */
#ifndef PROVOST_CTL_API_H
#define PROVOST_CTL_API_H

#include "ctl/ctl.h"

struct api_param {
    const char *name;
    const char *value; /* NULL: left out */
};

int api_call(const struct ctl *ctl, const char *method, const char *path, const struct api_param *params, json_t **ret_json);

#endif
