#!/usr/bin/env bash
# Installs Postern on the machine of a site: accounts, folders, programs, units. Run it again at any time: what is as it
# should be stays as it is. Needs no internet when a wheelhouse is given. Removing never touches the site's data.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source_root="$(dirname "$here")"

prefix=/opt/postern root="" wheelhouse="" models="" template="" dry_run=0 uninstall=0 start=1 appliance="" exempt="" proxy=""
# The oldest Python that the locked libraries support.
python_minor_min=11

usage() {
  cat <<'TEXT'
install.sh [options]                    as root
  --prefix DIR       where the programs go (default /opt/postern)
  --wheelhouse DIR   take the libraries from this folder instead of the network
  --models DIR       copy built models from this folder (default: build/models beside the source, if it is there)
  --template NAME    make the site, if there is none, from this template (clinic, bank, empty)
  --appliance        this machine is Postern's alone: refuse every other user the way out but root and the system's
                     services of time, names, addresses and packages (undo: --shared; without either: as it was, else shared)
  --exempt USERS     with --appliance, whom else not: a web server in front, a broker or a resolver on this machine
                     (USERS: www-data,mosquitto; none takes them back)
  --shared           other software runs here too: count what it sends, refuse nothing
  --proxy ADDR:PORT  the proxy of egress.proxy, where it has an address of the site's own network: the node
                     may not use it (ADDR is no name; none takes it off)
  --no-start         install only; start later with: systemctl start postern-node
  --root DIR         stage files below DIR, for an image: no accounts, programs or services on this machine
  --dry-run          say what would be done
  --uninstall        stop and remove the programs and units; the site's data and accounts stay
TEXT
}

fail() { # what, remedy
  printf 'install.sh: %s\n    remedy: %s\n' "$1" "$2" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case "$1" in
    --prefix | --wheelhouse | --models | --template | --root | --proxy | --exempt)
      [ $# -ge 2 ] || fail "$1 needs a value" "see install.sh --help"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    --dry-run) dry_run=1 && shift ;;
    --uninstall) uninstall=1 && shift ;;
    --appliance) appliance=refuse && shift ;;
    --shared) appliance=count && shift ;;
    --no-start) start=0 && shift ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
root="${root%/}"
[ -n "$models" ] || models="$source_root/build/models"

say() { printf '[postern] %s\n' "$*"; }

run() { # the command, unless this is a dry run
  if [ "$dry_run" = 1 ]; then
    say "would run: $*"
  else
    "$@"
  fi
}

put() { # source, target, mode: write a file only where it differs
  local target="$root$2"
  if cmp -s "$1" "$target"; then
    say "unchanged: $2"
    return
  fi
  say "write: $2"
  changed=1
  run install -D -m "$3" "$1" "$target"
}

changed=0
units=(postern-egress.service postern-meter.service postern-node.service postern-worker.service postern-courier.service)

check_choices() { # before anything is written: what the kernel would not take keeps the desk from starting
  [[ "$proxy" =~ ^(none)?$ ]] || python3 -c '
import ipaddress, re, sys
host, port = re.fullmatch(r"(.+):([0-9]{1,5})", sys.argv[1]).groups()
ipaddress.IPv6Address(host[1:-1]) if host[:1] + host[-1:] == "[]" else ipaddress.IPv4Address(host)
assert 0 < int(port) < 65536 and "%" not in host' "$proxy" 2>/dev/null ||
    fail "--proxy $proxy is no address with a port" "give one, such as 10.0.0.5:3128 or [fd00::5]:3128"
  [[ "$exempt" =~ ^([a-z_][a-z0-9_-]*(,[a-z_][a-z0-9_-]*)*)?$ ]] ||
    fail "--exempt $exempt are no names of accounts" "give them as www-data,mosquitto"
  exempt="${exempt//,/ }"
}

check_machine() {
  [[ "$prefix" = /?* ]] || fail "--prefix $prefix is not an absolute path" "give one, such as /opt/postern"
  [ -n "$root" ] && return
  [ "$(id -u)" = 0 ] || [ "$dry_run" = 1 ] || fail "not run by root" "sudo $0"
  command -v systemd-sysusers >/dev/null || fail "no systemd here" "use a distribution with systemd, or postern run --site DIR"
  [ "$uninstall" = 1 ] && return
  [ -x /usr/sbin/nft ] || fail "no nft here, which says who may send what" "apt-get install nftables"
  python3 -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $python_minor_min))" 2>/dev/null ||
    fail "no Python 3.$python_minor_min or later with venv" "apt-get install python3 python3-venv"
  # A Python in somebody's home cannot be run by the accounts of the processes.
  [ "$(id -u)" != 0 ] || runuser -u nobody -- "$(python3 -c 'import sys; print(sys._base_executable)')" -c "" 2>/dev/null ||
    fail "$(command -v python3) cannot be run by other accounts" "use the distribution's: PATH=/usr/bin:\$PATH $0"
  [ -z "$wheelhouse" ] || [ -d "$wheelhouse" ] || fail "no wheelhouse at $wheelhouse" "give the folder that holds the .whl files"
}

place_files() {
  local unit filled
  put "$here/units/postern.sysusers" /usr/lib/sysusers.d/postern.conf 0644
  put "$here/units/postern.tmpfiles" /usr/lib/tmpfiles.d/postern.conf 0644
  filled="$(mktemp)"
  for unit in "${units[@]}"; do
    sed "s|@PREFIX@|$prefix|g" "$here/units/$unit" >"$filled"
    put "$filled" "/usr/lib/systemd/system/$unit" 0644
  done
  rm -f "$filled"
  put "$source_root/README.md" "$prefix/README.md" 0644
  put "$here/units/postern-egress.nft" "$prefix/postern-egress.nft" 0644
  put "$here/units/postern-egress.sh" "$prefix/postern-egress.sh" 0755
  place_choices
}

choice() { # name: what this machine was said to be before
  sed -n "s/^$1=//p" "$root/etc/postern/egress.env" 2>/dev/null | tr -d '"' || true
}

place_choices() { # what this machine's rules of the way out have of their own
  local filled set=proxies4 address
  filled="$(mktemp)"
  if [ -n "$appliance$exempt" ]; then
    [ -n "$appliance" ] || appliance="$(choice OTHERS)"
    [ -n "$exempt" ] || exempt="$(choice EXEMPT)"
    printf 'OTHERS=%s\nEXEMPT="%s"\n' "${appliance:-count}" "${exempt#none}" >"$filled"
    put "$filled" /etc/postern/egress.env 0644
  fi
  if [ "$proxy" = none ]; then
    [ ! -e "$root/etc/postern/egress.d/proxy.nft" ] || changed=1
    run rm -f "$root/etc/postern/egress.d/proxy.nft"
  elif [ -n "$proxy" ]; then
    address="${proxy%:*}"
    [[ "$address" != \[*\] ]] || { set=proxies6 && address="${address:1:-1}"; }
    printf 'add element inet postern %s { %s . %s }\n' "$set" "$address" "${proxy##*:}" >"$filled"
    put "$filled" /etc/postern/egress.d/proxy.nft 0644
  fi
  rm -f "$filled"
}

make_accounts_and_folders() {
  say "accounts and folders"
  run systemd-sysusers /usr/lib/sysusers.d/postern.conf
  run systemd-tmpfiles --create /usr/lib/tmpfiles.d/postern.conf
}

source_hash() { # of all that pip packs
  (cd "$source_root" && find edge cloud_sync core models protos pyproject.toml -type f ! -name '*.pyc' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}

install_programs() {
  install_libraries
  local stamp="$prefix/venv/.source-hash" wanted
  wanted="$(source_hash)"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    say "unchanged: Postern itself"
    return
  fi
  say "Postern itself"
  changed=1
  # What an earlier build left would be packed again, modules that are gone included.
  run rm -rf "$source_root/build/lib"
  run "$prefix/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-index \
    --no-build-isolation --force-reinstall "$source_root"
  [ "$dry_run" = 1 ] || printf '%s\n' "$wanted" >"$stamp"
}

install_libraries() {
  local lock="$source_root/requirements/runtime.txt" stamp="$prefix/venv/.lock-hash" wanted source=()
  if [ ! -x "$prefix/venv/bin/python" ]; then
    say "virtual environment in $prefix/venv"
    run python3 -m venv "$prefix/venv"
  fi
  wanted="$(sha256sum <"$lock" | cut -d' ' -f1)"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    say "unchanged: libraries"
    return
  fi
  [ -z "$wheelhouse" ] || source=(--no-index --find-links "$wheelhouse")
  say "libraries, each checked by its hash (some minutes)"
  changed=1
  run "$prefix/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
    "${source[@]}" -r "$lock" ||
    fail "the libraries could not be installed" "check the network, or give a complete --wheelhouse"
  [ "$dry_run" = 1 ] || printf '%s\n' "$wanted" >"$stamp"
}

copy_models() {
  local target=/var/lib/postern/models
  if [ -d "$models" ]; then
    say "models from $models"
    run cp -ru --no-preserve=ownership "$models/." "$target/"
    run chgrp -R postern "$target"
    # How this build's tests ended, for the data protection report.
    [ ! -f "$models/../proofs.json" ] || run install -m 0644 "$models/../proofs.json" "$target/../proofs.json"
  elif [ -z "$(ls -A "$target" 2>/dev/null)" ]; then
    say "no models yet; build them where there is internet (make setup) and run again with --models DIR"
  fi
}

make_site() {
  if [ -n "$template" ] && [ ! -e /var/lib/postern/site/site.toml ]; then
    say "a site from the template $template"
    [ ! -e /dev/tpmrm0 ] || command -v tpm2_unseal >/dev/null ||
      say "this machine has a TPM; to seal the site's root key to it: apt-get install tpm2-tools, then postern keys seal"
    run runuser -u postern-node -- "$prefix/venv/bin/postern" init --site /var/lib/postern/site --template "$template"
  fi
  # The site's own tool makes everything private to the node; give back what the processes share.
  run systemd-tmpfiles --create /usr/lib/tmpfiles.d/postern.conf
}

check_rules() { # those that the unit would load
  (set -a && { [ ! -e /etc/postern/egress.env ] || . /etc/postern/egress.env; } && "$prefix/postern-egress.sh" check)
}

start_services() {
  run systemctl daemon-reload
  [ "$start" = 1 ] || return 0
  run systemctl enable --quiet "${units[@]}"
  if [ ! -e /var/lib/postern/site/site.toml ]; then
    say "no site yet. Make one: $0 --template clinic"
  elif [ "$changed" = 1 ]; then
    # What runs goes on as it is where the rules would not load.
    run check_rules || fail "the kernel does not take the rules of who may send what" \
      "put right what it names, below /etc/postern, run this again, then: systemctl start postern-node"
    say "start"
    run systemctl restart "${units[@]}"
  fi
}

remove() {
  local unit folder
  if [ -z "$root" ]; then
    run systemctl disable --now "${units[@]}" || true
  fi
  for unit in "${units[@]}"; do
    say "remove: /usr/lib/systemd/system/$unit"
    run rm -f "$root/usr/lib/systemd/system/$unit"
  done
  say "remove: $prefix"
  run rm -rf "$root$prefix/venv" "$root$prefix/README.md" "$root$prefix/postern-egress."{nft,sh}
  run rm -f "$root/usr/lib/sysusers.d/postern.conf" "$root/usr/lib/tmpfiles.d/postern.conf"
  # What the site put there itself stays: a proxy's password, rules of its own.
  run rm -f "$root/etc/postern/egress.env" "$root/etc/postern/egress.d/proxy.nft"
  for folder in "$root/etc/postern/egress.d" "$root/etc/postern"; do
    [ ! -d "$folder" ] || run rmdir --ignore-fail-on-non-empty "$folder"
  done
  [ -n "$root" ] || run systemctl daemon-reload
  say "removed. The site's data stay in /var/lib/postern; the accounts stay, because files belong to them."
}

check_machine
if [ "$uninstall" = 1 ]; then
  remove
  exit 0
fi
check_choices
place_files
if [ -n "$root" ]; then
  say "staged below $root; accounts, programs and services are made on the machine itself"
  exit 0
fi
make_accounts_and_folders
install_programs
copy_models
make_site
start_services
say "done. Look after it with: $prefix/venv/bin/postern doctor --site /var/lib/postern/site"
