#!/bin/sh
# Loads the rules of who may send what, and keeps what the kernel then lists in FOLDER/loaded.json, for the meter:
#   postern-egress.sh FOLDER        postern-egress.sh check        (as root; the unit, and install.sh before it starts it)
# Rules that cannot be loaded leave those in force as they are.
set -eu
here="$(dirname "$0")"

# Where others are refused, whom not: root, the system's services of time, names, addresses and packages, and whom the
# site names (install.sh --exempt). By number, and only those that there are: a name that is gone must not keep all
# rules from being loaded.
exempt=0
for user in systemd-timesync systemd-resolve systemd-network _chrony ntp ntpsec _apt dhcpcd ${EXEMPT:-}; do
  if number="$(getent passwd "$user" | cut -d: -f3)" && [ -n "$number" ]; then
    exempt="$exempt, $number"
  else
    case " ${EXEMPT:-} " in *" $user "*) echo "no account $user: it is not exempt" >&2 ;; esac
  fi
done

rules() { # options of nft
  nft -D "node=${NODE:-postern-node}" -D "worker=${WORKER:-postern-worker}" -D "courier=${COURIER:-postern-courier}" \
    -D "others=${OTHERS:-count}" -D "exempt={ $exempt }" "$@" -f "$here/postern-egress.nft"
}

if [ "$1" = check ]; then
  rules -c
  exit
fi
rules
nft -j -n list table inet postern >"$1/loaded.new"
mv "$1/loaded.new" "$1/loaded.json"
