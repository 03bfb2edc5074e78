# packages.sh: what has to be installed, listed once for run-demo, run-tests and CONTRIBUTING.md. Sourced by bash.
# shellcheck shell=bash disable=SC2034
#
#     . packaging/packages.sh
#     install_packages "${BUILD_PACKAGES[@]}" "${DEMO_PACKAGES[@]}"
#
# No server whose package starts a service is among them: tests/support/private-slapd and private-package unpack theirs without installing,
# and redis-tools has Redis' program without the service (private-redis).

BUILD_PACKAGES=(
    autoconf automake gcc libc6-dev libtool make pkg-config
    libconfig-dev libcurl4-openssl-dev libgnutls28-dev libhiredis-dev libjansson-dev libldap-dev
    libmariadb-dev libmemcached-dev libmicrohttpd-dev libpq-dev libsqlite3-dev zlib1g-dev
)
DEMO_PACKAGES=(curl ldap-utils openssl php-cli php-redis python3 redis-tools)
TEST_PACKAGES=(
    ldap-utils libasan8 libcmocka-dev libtsan2 libubsan1 openssl php-cli php-memcached php-redis python3 python3-cryptography
    python3-django python3-flask-login python3-flask-session python3-jwt python3-ldap python3-psycopg2 python3-pymemcache python3-pymysql
    python3-redis redis-tools
)
# Debian's npm cannot stand beside another Node.js that brings its own.
command -v npm >/dev/null || TEST_PACKAGES+=(nodejs npm)
BENCH_PACKAGES=(wrk)

missing_packages() {
    local package
    for package; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

install_packages() {
    local missing sudo=()
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian: install yourself what matches $*" >&2
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "Missing: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2; return 1; }
        sudo=(sudo)
    fi
    echo "Installing: ${missing[*]}"
    quietly "${sudo[@]}" apt-get -q update
    quietly "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
}

# Runs a command whose output matters only when it fails.
quietly() {
    local log code=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || code=$?
    [ $code = 0 ] || { cat "$log" >&2; echo "failed ($code): $*" >&2; }
    rm -f "$log"
    return $code
}

# The private slapd's program, before the first server needs it: told here, once, when it cannot be had.
prepare_slapd() {
    tests/support/private-slapd binary >/dev/null 2>&1 && return
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    quietly "${sudo[@]}" apt-get -q update && quietly tests/support/private-slapd binary
}

# build_in DIR [configure options]: out of tree, configured once.
build_in() {
    local dir=$1
    shift
    if [ ! configure -nt configure.ac ] || [ ! Makefile.in -nt Makefile.am ] || [ ! -e build-aux/ltmain.sh ]; then
        quietly ./autogen.sh || return
    fi
    mkdir -p "$dir"
    [ -f "$dir/Makefile" ] || (cd "$dir" && quietly ../configure "$@") || return
    quietly make -C "$dir" -j"$(nproc)"
}
