# Sourced by the scripts in the parent folder: the repository's root, messages, Python, system packages.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
venv="$root/.venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# Packages of the operating system that tests use, as "command:package". If a test needs another one (redis-server,
# postgresql, chromium), add it here. If a package cannot be installed, the tests that need it are skipped.
system_packages=(nginx:nginx-light wrk:wrk)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

find_python() {
  local candidate path
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    path=$(command -v "$candidate") || continue
    "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    printf '%s\n' "$path"
    return 0
  done
  return 1
}

missing_packages() {
  local entry
  for entry in "${system_packages[@]}"; do
    # Debian keeps servers in /usr/sbin, which is not on every user's PATH.
    PATH="$PATH:/usr/sbin:/sbin" command -v "${entry%%:*}" >/dev/null || printf '%s\n' "${entry##*:}"
  done
}

# apt_install PACKAGE...: install packages without starting their services. Fails if this is not Debian or not root.
# A subshell keeps its traps separate.
apt_install() (
  [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || exit 1
  policy=/usr/sbin/policy-rc.d
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # 101 means "action forbidden by policy": packages are then installed without starting their services.
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$log" "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  {
    apt-get update -qq &&
      DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || {
    tail -n 5 "$log" >&2
    exit 1
  }
)
