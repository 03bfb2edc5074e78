#include "connectors/http/settings.h"

const char *const http_auth_choices[] = { "none", "bearer", "basic", "api_key", "oauth2", NULL };
const char *const http_client_auth_choices[] = { "basic", "post", "private_key_jwt", NULL };
const char *const http_algorithm_choices[] = { "RS256", "ES256", "PS256", NULL };
