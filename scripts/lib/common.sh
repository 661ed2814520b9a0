# Shared by the scripts beside this folder: where the repository is, and how to say what is happening.
# Sourced, never run; works from any directory.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
venv="$root/.venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# Packages of the operating system that tests use today. A later test that needs redis-server, postgresql or chromium
# adds its word here, as "command:package"; where it cannot be installed, those tests are skipped and say so.
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

# apt_install PACKAGE...: quietly, in one go, starting no service. Fails where this is not Debian or not root.
# A subshell, so that its traps are its own.
apt_install() (
  [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || exit 1
  policy=/usr/sbin/policy-rc.d
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # 101 is "action forbidden by policy": packages install their servers without starting them.
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
